"""The film library 电视片: lectures that have a film's data."""
