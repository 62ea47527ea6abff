"""What streamer reports: the inbox and what each event changes."""
