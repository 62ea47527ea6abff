"""Text tracks that files bring along."""
