"""The way to the members: drafts, review in steps, publishing and withdrawing by the clock."""
