"""Published renditions: immutable sets of files, and what becomes of the live segments."""
