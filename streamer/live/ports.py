"""What the live origin asks of the broadcasts behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from streamer.live.window import LiveWindow


class Broadcasts(Protocol):
    """Where the HTTP handlers find a broadcast's window."""

    async def find_window(self, broadcast_id: str) -> LiveWindow:
        """Return the window; one that ended long ago may have to be rebuilt from its journal.

        Called for every request, so the common case must be a dictionary look-up.

        Raises:
            NotFoundError: Nobody knows this broadcast, or its live media was deleted.
            DependencyError: The journal cannot be read now.
        """
