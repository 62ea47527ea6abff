"""Live classes: schedule, state, keys, live status."""
