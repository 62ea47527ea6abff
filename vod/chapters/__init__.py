"""Chapters of a lecture and suggestions for them."""
