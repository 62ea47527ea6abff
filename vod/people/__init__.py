"""Members: what is known of them, the lists that describe them, rosters in and out."""
