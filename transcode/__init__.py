"""Celery workers: files in, renditions out. No database."""
