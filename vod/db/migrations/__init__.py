"""Alembic scripts; ``vod.db.migrate`` runs them."""
