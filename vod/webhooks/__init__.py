"""Webhooks: what happens here is told to programs elsewhere, signed and repeated until heard."""
