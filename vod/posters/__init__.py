"""Posters: candidates of the asset, the editor's choice, own pictures."""
