"""The database: one declarative base, one engine per process, migrations."""
