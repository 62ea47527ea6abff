"""Cut finished assets: whole GOPs are copied, those at the cuts are encoded again."""
