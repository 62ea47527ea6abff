"""Papers of lectures: PDF and the like, to download."""
