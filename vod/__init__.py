"""Catalogue, accounts, playback rights, jobs. Owns the database."""
