"""Jobs and their units: the database is the truth, Celery only carries "look here"."""
