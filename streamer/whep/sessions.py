"""All WHEP viewers of the process: seats, shared feeds, ownership of their tasks."""

from __future__ import annotations

import asyncio
import time
from typing import Final, Self

import structlog

from kernel.errors import CapacityError, ConflictError, DependencyError, NotFoundError
from streamer.media import VideoUnit
from streamer.rtc.limits import EndedSessions, JoinLimiter
from streamer.rtc.sdp import Offer, check_offer
from streamer.rtc.seams import install_seams
from streamer.whep.feed import Feed
from streamer.whep.ports import WhepBroadcast, WhepBroadcasts
from streamer.whep.session import ViewerEnd, WhepSession, take_ready
from streamer.whep.settings import WhepSettings

ANSWER_DEADLINE_S: Final = 10.0
SEAT_RETRY_S: Final = 30  # A seat is free when somebody leaves; meanwhile there is HLS.

log = structlog.get_logger(__name__)


class WhepSessions:
    """``async with WhepSessions(...)``; leaving closes every viewer."""

    def __init__(self, broadcasts: WhepBroadcasts, settings: WhepSettings) -> None:
        install_seams()
        self.settings = settings
        self._broadcasts = broadcasts
        self._joins = JoinLimiter(settings.joins_per_s, settings.joins_burst_count)
        self._sessions: dict[str, WhepSession] = {}
        self._ended = EndedSessions()
        self._feeds: dict[str, tuple[Feed, int]] = {}
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
            session.end(ViewerEnd.SHUTDOWN)
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def open(self, *, broadcast_id: str, sdp: str) -> tuple[WhepSession, str]:
        """Seat a viewer and answer its offer.

        Raises:
            InputError: See ``check_offer``.
            NotFoundError: No such broadcast here.
            ConflictError: Nobody publishes now, or the stream has B-frames.
            CapacityError: Every seat is taken, or too many joins at once.
        """
        offer = check_offer(sdp, "play")
        broadcast = self._broadcasts.find(broadcast_id)
        if broadcast is None:
            raise NotFoundError("no such broadcast")
        if not broadcast.has_publisher:
            raise ConflictError("nobody publishes at the moment", title_zh="直播信号暂时中断")
        if self._is_closing or len(self._sessions) + self._opening_count >= (
            self.settings.seats_count
        ):
            raise CapacityError("every WebRTC seat is taken", retry_after_s=SEAT_RETRY_S)
        self._joins.take(time.monotonic())
        self._opening_count += 1
        try:
            await _refuse_b_frames(broadcast)
            return await self._open(broadcast_id, broadcast, offer)
        finally:
            self._opening_count -= 1

    async def _open(
        self, broadcast_id: str, broadcast: WhepBroadcast, offer: Offer
    ) -> tuple[WhepSession, str]:
        feed = self._take_feed(broadcast_id)
        session = WhepSession(
            self.settings, broadcast=broadcast, broadcast_id=broadcast_id, feed=feed
        )
        try:
            async with asyncio.timeout(ANSWER_DEADLINE_S):
                answer = await session.answer(offer)
        except BaseException as error:
            await session.abandon()
            await self._give_feed_back(broadcast_id)
            if isinstance(error, TimeoutError):
                raise DependencyError("gathering ICE candidates took too long") from error
            raise
        self._sessions[session.id] = session
        task = asyncio.create_task(self._run(session), name=f"whep-{broadcast_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return session, answer

    def _take_feed(self, broadcast_id: str) -> Feed:
        feed, users_count = self._feeds.get(broadcast_id) or (Feed(), 0)
        self._feeds[broadcast_id] = (feed, users_count + 1)
        return feed

    async def _give_feed_back(self, broadcast_id: str) -> None:
        feed, users_count = self._feeds[broadcast_id]
        if users_count > 1:
            self._feeds[broadcast_id] = (feed, users_count - 1)
            return
        del self._feeds[broadcast_id]
        await feed.__aexit__(None, None, None)

    def find(self, broadcast_id: str, session_id: str) -> WhepSession:
        """Return a running session.

        Raises:
            NotFoundError: Unknown, ended, or of another broadcast.
        """
        session = self._sessions.get(session_id)
        if session is None or session.broadcast_id != broadcast_id:
            raise NotFoundError("no such WHEP session")
        return session

    def end(self, broadcast_id: str, session_id: str) -> None:
        """DELETE: the viewer leaves. Idempotent, also when the session has ended by itself.

        Raises:
            NotFoundError: There was no such session lately.
        """
        # RFC 9110 §9.2.2: DELETE is idempotent; whoever repeats it, or comes after we have closed
        # the session, has what it asks for.
        if (broadcast_id, session_id) not in self._ended:
            session = self.find(broadcast_id, session_id)
            self._forget(session)
            session.end(ViewerEnd.CLOSED_BY_VIEWER)

    def _forget(self, session: WhepSession) -> None:
        self._sessions.pop(session.id, None)
        self._ended.add(session.broadcast_id, session.id)

    async def _run(self, session: WhepSession) -> None:
        reason = ViewerEnd.CRASH
        try:
            reason = await session.run()
        except Exception:
            # Life-cycle supervisor: one viewer's crash must not take the others along.
            log.exception("whep_crashed", broadcast_id=session.broadcast_id)
        finally:
            self._forget(session)
            await self._give_feed_back(session.broadcast_id)
            log.info("whep_ended", broadcast_id=session.broadcast_id, reason=reason.value)


async def _refuse_b_frames(broadcast: WhepBroadcast) -> None:
    """Browsers do not reorder pictures in WebRTC; such a stream would stutter."""
    subscription = broadcast.subscribe()
    try:
        items = await take_ready(subscription)
    finally:
        subscription.close()
    if any(isinstance(item, VideoUnit) and item.dts != item.pts for item in items):
        raise ConflictError(
            "The stream has B-frames, which WebRTC players cannot show: watch it over HLS, or "
            "set the encoder to 0 B-frames.",
            title_zh="该直播的编码含有 B 帧,请使用普通模式观看",
        )
