"""Who changed what: an append-only log of privileged changes."""
