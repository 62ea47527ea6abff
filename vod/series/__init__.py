"""Series: lectures and classes that belong together."""
