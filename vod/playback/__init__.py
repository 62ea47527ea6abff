"""Who may fetch which media, and the delivery of playlists and blobs."""
