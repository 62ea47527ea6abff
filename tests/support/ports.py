"""Free ports on the loopback interface."""

from __future__ import annotations

import socket


def find_free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port that was free a moment ago; outside the ephemeral range's usual churn."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
