"""Free TCP ports for servers that cannot take a socket from us."""

from __future__ import annotations

import random
import socket

# Below the ephemeral range: no outgoing connection of anybody can take the port between our
# look and the server's bind, and parallel test workers rarely draw the same number.
FIRST_PORT, LAST_PORT = 11_000, 31_999
TRIES = 200
_draw = random.SystemRandom()


def find_free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on now."""
    for _ in range(TRIES):
        port = _draw.randint(FIRST_PORT, LAST_PORT)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError(f"no free port between {FIRST_PORT} and {LAST_PORT}")
