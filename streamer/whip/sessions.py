"""All WHIP sessions of the process: admission order, limits, ownership of their tasks."""

from __future__ import annotations

import asyncio
import time
from typing import Final, Self

import structlog

from kernel.errors import CapacityError, DependencyError, NotFoundError
from kernel.messages import PublishRequest
from streamer.ports import EndReason, Publishing
from streamer.rtc.limits import EndedSessions, JoinLimiter
from streamer.rtc.sdp import Offer, check_offer
from streamer.rtc.seams import install_seams
from streamer.whip.session import WhipSession
from streamer.whip.settings import WhipSettings

ANSWER_DEADLINE_S: Final = 10.0  # Gathering from a dead STUN server takes 3 s.

log = structlog.get_logger(__name__)


class WhipSessions:
    """``async with WhipSessions(...)``; leaving closes every session with ``SHUTDOWN``."""

    def __init__(self, publishing: Publishing, settings: WhipSettings) -> None:
        install_seams()
        self.settings = settings
        self._publishing = publishing
        self._joins = JoinLimiter(settings.joins_per_s, settings.joins_burst_count)
        self._sessions: dict[str, WhipSession] = {}
        self._ended = EndedSessions()
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening_count = 0
        self._is_closing = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    @property
    def count(self) -> int:
        return len(self._sessions)

    async def close(self) -> None:
        """End every session and wait for it. Idempotent."""
        self._is_closing = True
        for session in list(self._sessions.values()):
            session.evict(EndReason.SHUTDOWN)
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def open(
        self, *, live_class_id: str, token: str, peer: str, sdp: str
    ) -> tuple[WhipSession, str]:
        """Admit a publisher and answer its offer.

        Order: offer, limits, credential (which may take the class over), ICE.

        Raises:
            InputError: See ``check_offer``.
            CapacityError: Too many sessions or joins.
            HallError: What ``Publishing.admit`` raises.
        """
        offer = check_offer(sdp, "publish")
        if self._is_closing or (
            len(self._sessions) + self._opening_count >= self.settings.sessions_max_count
        ):
            raise CapacityError("too many publishers by WebRTC", retry_after_s=10)
        self._joins.take(time.monotonic())
        self._opening_count += 1
        try:
            return await self._open(live_class_id, token, peer, offer)
        finally:
            self._opening_count -= 1

    async def _open(
        self, live_class_id: str, token: str, peer: str, offer: Offer
    ) -> tuple[WhipSession, str]:
        session = WhipSession(self.settings, live_class_id=live_class_id, peer=peer)
        request = PublishRequest(
            protocol="whip", credential=token, live_class_id=live_class_id, peer=peer
        )
        publication = await self._publishing.admit(request, session)
        try:
            async with asyncio.timeout(ANSWER_DEADLINE_S):
                answer = await session.answer(offer, publication)
        except BaseException as error:
            publication.close(EndReason.PROTOCOL_ERROR)
            await session.close(EndReason.PROTOCOL_ERROR)
            if isinstance(error, TimeoutError):
                raise DependencyError("gathering ICE candidates took too long") from error
            raise
        self._sessions[session.id] = session
        task = asyncio.create_task(self._run(session), name=f"whip-{live_class_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        log.info("whip_started", live_class_id=live_class_id, peer=peer, kinds=offer.kinds)
        return session, answer

    def find(self, live_class_id: str, session_id: str) -> WhipSession:
        """Return a running session.

        Raises:
            NotFoundError: Unknown, ended, or of another class.
        """
        session = self._sessions.get(session_id)
        if session is None or session.live_class_id != live_class_id:
            raise NotFoundError("no such WHIP session")
        return session

    def end(self, live_class_id: str, session_id: str) -> None:
        """DELETE: the publisher is done. Idempotent, also when the session has ended by itself.

        Raises:
            NotFoundError: There was no such session lately.
        """
        # RFC 9110 §9.2.2: DELETE is idempotent; whoever repeats it, or comes after we have closed
        # the session, has what it asks for.
        if (live_class_id, session_id) not in self._ended:
            session = self.find(live_class_id, session_id)
            self._forget(session)
            session.close_by_publisher()

    def _forget(self, session: WhipSession) -> None:
        self._sessions.pop(session.id, None)
        self._ended.add(session.live_class_id, session.id)

    async def _run(self, session: WhipSession) -> None:
        try:
            await session.run()
        except Exception:
            # Life-cycle supervisor: one publisher's crash must not take the others along.
            log.exception("whip_crashed", live_class_id=session.live_class_id)
            await session.close(EndReason.CRASH)
        finally:
            self._forget(session)
