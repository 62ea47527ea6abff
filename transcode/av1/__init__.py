"""A second family of rungs in AV1, added to what is published already. Off by default."""
