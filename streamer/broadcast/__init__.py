"""One broadcast from admission to its end, and the registry of all of them."""
