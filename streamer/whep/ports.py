"""What WHEP asks of the broadcasts; ``BroadcastRegistry`` and ``Broadcast`` have it."""

from __future__ import annotations

from typing import Protocol

from streamer.broadcast.fanout import Subscription


class WhepBroadcast(Protocol):
    """One broadcast as a viewer's source."""

    @property
    def has_publisher(self) -> bool:
        """Media flows now."""

    def subscribe(self) -> Subscription:
        """Join; the first items are the configurations and the media since the last IDR."""


class WhepBroadcasts(Protocol):
    """All broadcasts."""

    def find(self, broadcast_id: str) -> WhepBroadcast | None:
        """The broadcast if it is known here."""
