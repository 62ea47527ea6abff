"""Channels: lectures aired by a programme grid, the same second for everybody."""
