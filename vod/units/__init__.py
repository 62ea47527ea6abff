"""The organisation tree: units and who belongs below which."""
