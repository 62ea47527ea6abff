"""Who indexes: one process at a time, by a lease in the database. No method commits."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import or_, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.clock import Clock
from kernel.errors import DependencyError
from kernel.ids import new_id
from vod.search.models import SearchState

LEASE: Final = timedelta(seconds=60)  # Many batches; so long another vod waits for a dead one.


class LeaseLostError(DependencyError):
    """Another indexer works on; what this one was about to write is dropped."""

    def __init__(self) -> None:
        super().__init__("another process indexes for search now")


class Lease:
    """The right to write to the index."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._owner = new_id()

    async def take(self, session: AsyncSession) -> bool:
        """Take it if it is free, ours, or was not prolonged in time."""
        is_free = or_(
            SearchState.owner.is_(None),
            SearchState.owner == self._owner,
            SearchState.leased_until < self._clock.now(),
        )
        taken = await session.execute(
            update(SearchState)
            .where(is_free)
            .values(owner=self._owner, leased_until=self._clock.now() + LEASE)
            .returning(SearchState.id)
        )
        return taken.first() is not None

    async def hold(self, session: AsyncSession) -> None:
        """Prolong it in the transaction of a write: nobody takes it before that is over.

        Raises:
            LeaseLostError: Somebody else has it.
        """
        held = await session.execute(
            update(SearchState)
            .where(SearchState.owner == self._owner)
            .values(leased_until=self._clock.now() + LEASE)
            .returning(SearchState.id)
        )
        if held.first() is None:
            raise LeaseLostError

    async def give_back(self, session: AsyncSession) -> None:
        """Let somebody else have it at once."""
        await session.execute(
            update(SearchState).where(SearchState.owner == self._owner).values(owner=None)
        )
