"""`hall` in a hurry: the same program with short leases, heartbeats and pauses.

``python -m tests.support.hurried_hall serve vod``; for tests that kill things and cannot wait a
minute for each of them. Nothing else differs.
"""

from __future__ import annotations

import sys

LEASE_S = 12  # Six heartbeats, as in earnest; a machine under load is late by seconds.
HEARTBEAT_S = 2
RESEND_S = 6
BACKOFF_S = 3
SWEEP_S = 1.0


def hurry() -> None:
    """Shorten the periods; call it before anything takes a copy of them."""
    from kernel import messages

    vars(messages).update(LEASE_S=LEASE_S, HEARTBEAT_S=HEARTBEAT_S)

    from vod.jobs import policy

    vars(policy).update(RESEND_BASE_S=RESEND_S, BACKOFF_BASE_S=BACKOFF_S)

    from vod.jobs import sweeper

    vars(sweeper).update(PERIOD_S=SWEEP_S)


if __name__ == "__main__":
    hurry()
    from hall.cli import main

    sys.argv[0] = "hall"
    main()
