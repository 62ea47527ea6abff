"""Audience rules: who of the members something is for."""
