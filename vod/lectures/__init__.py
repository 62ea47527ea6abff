"""Lectures: replays and recorded lessons."""
