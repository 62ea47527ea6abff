"""All broadcasts of this streamer: admission, recovery, the end, and what is known afterwards."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol, Self

import structlog

from kernel.clock import Clock
from kernel.errors import (
    CapacityError,
    DependencyError,
    HallError,
    NotAllowedError,
    NotFoundError,
    NotSignedInError,
)
from kernel.ids import hash_secret
from kernel.messages import BroadcastStatus, PublishGrant, PublishRequest
from kernel.timing import to_seconds
from streamer.broadcast.broadcast import Broadcast
from streamer.broadcast.factory import BroadcastFactory, RunningBroadcast
from streamer.broadcast.past import PastBroadcast, PastBroadcasts
from streamer.broadcast.publication import ActivePublication
from streamer.broadcast.state import BroadcastState
from streamer.broadcast.tasks import Supervisor
from streamer.live import LiveWindow
from streamer.ports import EndReason, IngestConnection
from streamer.recorder.lines import BroadcastLine
from streamer.recorder.spool import is_folder_name

TICK_S: Final = 0.1
REAP_PERIOD_S: Final = 5.0
MEMORY_LINGER_S: Final = 60.0  # Then its last minute is read from spool or store like the rest.
LINGER_S: Final = 3600.0  # Ended broadcasts stay at hand: most reopenings come soon.
MAX_PUBLISHERS: Final = 64  # One box carries far fewer; caps what a leaked key can open.
MAX_ASKING: Final = 32  # Admissions that wait for vod at once.
CLOCK_EPOCH_S: Final = 1_700_000_000  # Keeps epochs counted from the clock within nine digits.

log = structlog.get_logger(__name__)


class Gatekeeper(Protocol):
    """Port: who knows the credentials (vod)."""

    async def ask(self, request: PublishRequest) -> PublishGrant:
        """Raises ``NotAllowedError``, ``NotFoundError``, ``ConflictError``, ``DependencyError``."""


class ViewerCounter(Protocol):
    """Port: how many watch over HLS."""

    def count(self, broadcast_id: str) -> int: ...

    def forget(self, broadcast_id: str) -> None: ...


class BroadcastRegistry:
    """Implements ``Publishing`` for ingest and ``Broadcasts`` for the live origin."""

    def __init__(
        self,
        factory: BroadcastFactory,
        supervisor: Supervisor,
        *,
        gatekeeper: Gatekeeper,
        viewers: ViewerCounter,
        clock: Clock,
    ) -> None:
        self._factory = factory
        self._supervisor = supervisor
        self._gatekeeper = gatekeeper
        self._viewers = viewers
        self._clock = clock
        self._running: dict[str, RunningBroadcast] = {}
        self._credentials: dict[str, str] = {}
        self._past = PastBroadcasts(factory, clock)
        self._loading: dict[str, asyncio.Lock] = {}
        self._asking_count = 0
        self._revocations_count = 0
        self._is_closing = False

    async def __aenter__(self) -> Self:
        for broadcast_id in await self._factory.list_spooled():
            await self._recover(broadcast_id)
        self._supervisor.spawn("broadcast-ticks", self._tick_for_ever)
        self._supervisor.spawn("broadcast-reaper", self._reap_for_ever)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """A graceful stop leaves the broadcasts interrupted; they go on at the next start."""
        self._is_closing = True
        for running in self._running.values():
            running.broadcast.evict(EndReason.SHUTDOWN)
        await asyncio.gather(*(self._factory.close(item) for item in self._running.values()))
        self._running.clear()

    async def _recover(self, broadcast_id: str) -> None:
        try:
            running = await self._factory.recover(broadcast_id)
        except (HallError, OSError, ValueError):
            # One damaged folder must not keep all other classes off the air; its files stay.
            log.exception("broadcast_not_recovered", broadcast_id=broadcast_id)
            return
        if running is None:
            return
        history = running.broadcast.recorder.history
        self._add(running)
        log.info(
            "broadcast_recovered",
            broadcast_id=broadcast_id,
            state=running.broadcast.state.value,
            recorded_s=to_seconds(running.broadcast.recorder.recorded_ticks),
            epochs_count=len(history.epochs),
        )

    def _add(self, running: RunningBroadcast) -> None:
        broadcast = running.broadcast
        self._running[broadcast.broadcast_id] = running
        self._past.forget(broadcast.broadcast_id)
        if broadcast.state is not BroadcastState.ENDED:
            for digest in broadcast.recorder.history.credentials:
                self._credentials[digest] = broadcast.broadcast_id

    # ---- Publishing ----------------------------------------------------------------------------

    async def admit(
        self, request: PublishRequest, connection: IngestConnection
    ) -> ActivePublication:
        """See ``streamer.ports.Publishing``."""
        self._check_room()
        digest = digest_credential(request)
        known = self._find_by_credential(digest)
        if known is not None:
            publication = known.accept(connection)
            name = f"recheck-{known.broadcast_id}"
            self._supervisor.spawn(name, lambda: self._recheck(request, digest, publication))
            return publication
        broadcast = await self._ask_and_open(request, digest)
        if broadcast.state is BroadcastState.ENDED:
            raise NotAllowedError("the class has ended", title_zh="这堂课已经结束")
        broadcast.recorder.add_credential(digest)
        self._credentials[digest] = broadcast.broadcast_id
        return broadcast.accept(connection)

    async def _ask_and_open(self, request: PublishRequest, digest: str) -> Broadcast:
        """Have vod name the broadcast; what was granted before a revocation does not count."""
        while True:
            revocations_count = self._revocations_count
            grant = await self._ask(request)
            self._check_room()
            broadcast = await self._open(grant, digest)
            if revocations_count == self._revocations_count:
                return broadcast

    def _check_room(self) -> None:
        if self._is_closing:
            raise CapacityError("the server is stopping", retry_after_s=5)
        publishers = sum(item.broadcast.has_publisher for item in self._running.values())
        if publishers >= MAX_PUBLISHERS:
            raise CapacityError(f"{publishers} classes are being published already")

    def _find_by_credential(self, digest: str) -> Broadcast | None:
        running = self._running.get(self._credentials.get(digest, ""))
        if running is None or running.broadcast.state is BroadcastState.ENDED:
            return None
        return running.broadcast

    async def _ask(self, request: PublishRequest) -> PublishGrant:
        if self._asking_count >= MAX_ASKING:
            raise CapacityError("too many publishers are waiting to be checked")
        self._asking_count += 1
        try:
            return await self._gatekeeper.ask(request)
        except (NotSignedInError, NotFoundError) as error:
            raise NotAllowedError(str(error), title_zh="推流码无效") from error
        finally:
            self._asking_count -= 1

    async def _recheck(
        self, request: PublishRequest, digest: str, publication: ActivePublication
    ) -> None:
        """A return needs no vod, but a key that vod has withdrawn meanwhile does not last."""
        try:
            grant = await self._gatekeeper.ask(request)
            is_valid = grant.broadcast_id == publication.broadcast_id
        except (NotAllowedError, NotSignedInError, NotFoundError):
            is_valid = False
        except HallError as error:
            log.info("credential_not_rechecked", detail=str(error))
            return
        if not is_valid:
            log.warning("credential_withdrawn", audit=True, broadcast_id=publication.broadcast_id)
            self._credentials.pop(digest, None)
            if publication.is_active:
                publication.close(EndReason.KEY_REPLACED)
                publication.connection.evict(EndReason.KEY_REPLACED)

    async def _open(self, grant: PublishGrant, digest: str) -> Broadcast:
        """The broadcast that vod named: running, remembered, or new."""
        if not is_folder_name(grant.broadcast_id):
            raise DependencyError("vod named a broadcast that cannot be one of ours")
        async with self._lock(grant.broadcast_id):
            if grant.broadcast_id not in self._running:
                self._add(await self._take_up(grant, digest))
        return self._running[grant.broadcast_id].broadcast

    async def _take_up(self, grant: PublishGrant, digest: str) -> RunningBroadcast:
        first_epoch = 0
        try:
            is_restored = await self._factory.fetch_journal(grant.broadcast_id)
            running = await self._factory.recover(grant.broadcast_id, is_restored=is_restored)
            if running is not None:
                return running
        except NotFoundError:
            log.debug("broadcast_is_new", broadcast_id=grant.broadcast_id)
        except DependencyError as error:
            # A class that starts now must not wait for a store that is down. Should older media of
            # it lie there, epochs counted from the clock never write over it.
            log.warning("journal_not_looked_for", detail=str(error))
            first_epoch = int(self._clock.now().timestamp()) - CLOCK_EPOCH_S
        return self._factory.create(
            BroadcastLine(
                broadcast_id=grant.broadcast_id,
                live_class_id=grant.live_class_id,
                title=grant.title,
                credentials=(digest,),
                first_epoch=first_epoch,
            )
        )

    def _lock(self, broadcast_id: str) -> asyncio.Lock:
        lock = self._loading.get(broadcast_id)
        if lock is None:
            if len(self._loading) >= MAX_ASKING * 4:
                idle = [key for key, item in self._loading.items() if not item.locked()]
                for key in idle:
                    del self._loading[key]
            lock = self._loading[broadcast_id] = asyncio.Lock()
        return lock

    # ---- Broadcasts ----------------------------------------------------------------------------

    def find(self, broadcast_id: str) -> Broadcast | None:
        """The broadcast if it is open or ended lately."""
        running = self._running.get(broadcast_id)
        return None if running is None else running.broadcast

    @property
    def is_accepting(self) -> bool:
        """The broadcasts of the last run are back and publishers are welcome."""
        return not self._is_closing

    @property
    def broadcasts(self) -> list[Broadcast]:
        return [running.broadcast for running in self._running.values()]

    async def find_window(self, broadcast_id: str) -> LiveWindow:
        """See ``streamer.live.ports.Broadcasts``."""
        running = self._running.get(broadcast_id)
        if running is not None:
            return running.broadcast.window
        return (await self._load_past(broadcast_id)).window

    async def _load_past(self, broadcast_id: str) -> PastBroadcast:
        found = self._past.find(broadcast_id)
        if found is None:
            async with self._lock(broadcast_id):
                found = await self._past.load(broadcast_id)
        return found

    # ---- what vod asks -------------------------------------------------------------------------

    async def get_status(self, broadcast_id: str) -> BroadcastStatus:
        """Raises ``NotFoundError`` for a broadcast that nobody ever published."""
        broadcast = self.find(broadcast_id)
        if broadcast is not None:
            return broadcast.build_status(viewers_count=self._viewers.count(broadcast_id))
        past = await self._load_past(broadcast_id)
        return past.build_status(viewers_count=self._viewers.count(broadcast_id))

    async def end(self, broadcast_id: str, reason: str) -> None:
        """End a broadcast; ending one that has ended is fine. Raises ``NotFoundError``."""
        broadcast = self.find(broadcast_id)
        if broadcast is None:
            await self._load_past(broadcast_id)
            return
        broadcast.end(reason)
        self._forget_credentials(broadcast)

    def revoke_credentials(self, broadcast_id: str) -> None:
        """The class has a new key: put out whoever publishes with the old one. Idempotent.

        Raises:
            NotFoundError: Not at hand; whoever returns to it is asked about at vod anyway.
        """
        self._revocations_count += 1
        broadcast = self.find(broadcast_id)
        if broadcast is None:
            raise NotFoundError("no such broadcast")
        self._forget_credentials(broadcast)
        broadcast.recorder.revoke_credentials()
        broadcast.evict(EndReason.KEY_REPLACED)
        log.warning("credentials_revoked", audit=True, broadcast_id=broadcast_id)

    def _forget_credentials(self, broadcast: Broadcast) -> None:
        for digest in broadcast.recorder.history.credentials:
            if self._credentials.get(digest) == broadcast.broadcast_id:
                del self._credentials[digest]

    async def reopen(self, broadcast_id: str) -> None:
        """Let an ended broadcast go on, also long after its end. Raises ``NotFoundError``."""
        if not is_folder_name(broadcast_id):
            raise NotFoundError("no such broadcast")
        async with self._lock(broadcast_id):
            if broadcast_id not in self._running:
                is_restored = await self._factory.fetch_journal(broadcast_id)
                running = await self._factory.recover(broadcast_id, is_restored=is_restored)
                if running is None:
                    raise NotFoundError(f"no broadcast {broadcast_id}")
                self._add(running)
        running = self._running[broadcast_id]
        running.broadcast.reopen()
        self._add(running)

    async def forget_live(self, broadcast_id: str) -> None:
        """vod has deleted the live media: nothing of it may be served or kept here."""
        if not is_folder_name(broadcast_id):
            return
        async with self._lock(broadcast_id):
            running = self._running.get(broadcast_id)
            if running is not None and running.broadcast.state is not BroadcastState.ENDED:
                log.error("open_broadcast_not_forgotten", broadcast_id=broadcast_id)
                return
            if running is not None:
                await self._drop(running)
            self._past.forget(broadcast_id)
            self._viewers.forget(broadcast_id)
            await self._factory.delete_folder(broadcast_id)

    # ---- time ----------------------------------------------------------------------------------

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            for running in list(self._running.values()):
                self._tick(running.broadcast)

    def _tick(self, broadcast: Broadcast) -> None:
        try:
            broadcast.tick()
        except Exception:
            # Life-cycle supervisor: one class's defect must not stop the time of all others.
            log.exception("tick_failed", broadcast_id=broadcast.broadcast_id)

    async def _reap_for_ever(self) -> None:
        while True:
            await asyncio.sleep(REAP_PERIOD_S)
            await self.reap()

    async def reap(self) -> None:
        """Let go of ended broadcasts whose recording is stored and whose events are accepted."""
        for running in list(self._running.values()):
            broadcast = running.broadcast
            if self._is_over(broadcast, for_s=MEMORY_LINGER_S):
                broadcast.window.forget_media()
            if not self._is_over(broadcast, for_s=LINGER_S):
                continue
            # A return that comes now waits, and finds the journal in the blob store.
            async with self._lock(broadcast.broadcast_id):
                if self._is_over(broadcast, for_s=LINGER_S):
                    await self._drop(running)
                    await self._factory.delete_folder(broadcast.broadcast_id)
                    log.info("broadcast_archived", broadcast_id=broadcast.broadcast_id)

    def _is_over(self, broadcast: Broadcast, *, for_s: float) -> bool:
        """Ended for so long, and everything of it is stored and told."""
        return (
            broadcast.ended_s is not None
            and self._clock.monotonic_s() - broadcast.ended_s > for_s
            and broadcast.recorder.history.is_kept
            and broadcast.outbox.is_empty
        )

    async def _drop(self, running: RunningBroadcast) -> None:
        broadcast_id = running.broadcast.broadcast_id
        self._running.pop(broadcast_id, None)
        self._past.forget(broadcast_id)  # From before it was taken up again.
        self._viewers.forget(broadcast_id)
        self._forget_credentials(running.broadcast)
        await self._factory.close(running)


def digest_credential(request: PublishRequest) -> str:
    """Hash what a publisher showed; a WHIP token counts only together with its class."""
    return hash_secret(
        f"{request.protocol}\x00{request.live_class_id or ''}\x00{request.credential}"
    )
