"""Caption tracks: uploaded, found in the file, or written by a machine."""
