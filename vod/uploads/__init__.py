"""Uploads: files sent in pieces that may break off and go on (tus), until they are lectures."""
