"""The desk: what needs doing, by whoever asks."""
