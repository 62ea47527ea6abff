"""Contests 交流评比: films are scored blind, ranked reproducibly, and shown 展播."""
