"""What was recorded of a class, and the replay playlists made of it."""
