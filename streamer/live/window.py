"""The live window of one broadcast: every segment's line, the newest ones' bytes, the waiters."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from kernel.errors import CapacityError, NotFoundError
from kernel.layout import Rendition, segment_key
from streamer.live.blocking import Edge, ReloadRequest, check_reach, is_satisfied
from streamer.live.edge_cache import EdgeCache, NullEdgeCache
from streamer.live.multivariant import Rates, render_multivariant
from streamer.live.playlists import (
    PARTS_SEGMENTS_COUNT,
    ListedPart,
    ListedSegment,
    NextPart,
    RenditionPlaylist,
    Text,
    WindowState,
)
from streamer.live.store import MediaStore
from streamer.ports import EndReason, EpochInfo, Part, SegmentInfo, SegmentReader

HOLD_S: Final = 8.0  # hls.js gives up after 10 s without a byte; 503 before that (live.md §5.3).
RETRY_AFTER_S: Final = 1
MAX_WAITERS: Final = 20_000  # Per broadcast; full: refuse with 503. A waiter costs ~2 kB.
WAKE_COUNT: Final = 32  # Waiters per turn of the loop, see ``_wake``.


class LiveWindow:
    """A ``PackagerSink`` that holds what viewers can ask for.

    All segments from the start are listed (DVR); bytes of the last 60 s are in memory, older ones
    come from ``reader``. Called on the loop only. The sink methods never wait; readers wait for
    the next version, and each version is rendered at most once per rendition and kind.

    Invariants: msn and discontinuity never decrease; nothing is listed whose bytes cannot be read.
    """

    def __init__(
        self,
        broadcast_id: str,
        reader: SegmentReader,
        *,
        hold_s: float = HOLD_S,
        store: MediaStore | None = None,
        edge_cache: EdgeCache | None = None,
    ) -> None:
        self.broadcast_id = broadcast_id
        self.reader = reader
        self._hold_s = hold_s
        self._store = store or MediaStore()
        self._edge_cache = edge_cache or NullEdgeCache()
        self._epochs: dict[int, EpochInfo] = {}
        self._segments: list[ListedSegment] = []
        self._by_msn: dict[int, ListedSegment] = {}
        self._open: ListedSegment | None = None
        self._epoch: EpochInfo | None = None
        self._next_epoch = 0
        self._edge_ticks = 0
        self._last_parts_count = 0
        self._is_ended = False
        self._lost: set[int] = set()
        self._rates = Rates()
        self._playlists: dict[Rendition, RenditionPlaylist] = {
            "av": RenditionPlaylist("av", other="audio"),
            "audio": RenditionPlaylist("audio", other="av"),
        }
        self._rendered: dict[tuple[Rendition, bool], Text] = {}
        self._edge: Edge | None = None
        self._version = 0
        self._waiters: set[asyncio.Future[None]] = set()
        self._waiters_count = 0

    # ---- restoring ---------------------------------------------------------------------------

    def restore(
        self,
        epochs: Sequence[EpochInfo],
        segments: Sequence[SegmentInfo],
        *,
        is_ended: bool = False,
        next_epoch: int | None = None,
    ) -> None:
        """Fill an empty window from the journal; nothing of it is in memory.

        Args:
            epochs: All of them, in order.
            segments: The closed ones, in order.
            is_ended: ENDLIST.
            next_epoch: Number that the next one will get, for the preload hint; ``None``: the
                one after the last.

        Raises:
            ValueError: The window is not empty, or the segments are not in order.
        """
        if self._epochs:
            raise ValueError("only an empty window can be restored")
        self._epochs = {epoch.epoch: epoch for epoch in epochs}
        self._next_epoch = max(self._epochs, default=-1) + 1 if next_epoch is None else next_epoch
        for info in segments:
            epoch = self._epochs[info.epoch]
            segment = self._list_segment(epoch, info.msn, info.start_ticks)
            segment.end_ticks = info.start_ticks + info.duration_ticks
            segment.is_gap = info.is_gap
            self._close_segment(segment, info)
        self._is_ended = is_ended
        self._change()

    def mark_gap(self, msn: int) -> None:
        """The recorder could not keep this segment: a gap once memory forgets it."""
        self._lost.add(msn)
        if msn not in self._store:
            self._show_gaps([msn])

    def forget_media(self) -> None:
        """Free the bytes of an ended broadcast; all of it is read from ``reader`` then."""
        self._store.clear()
        self._show_gaps(sorted(self._lost))

    # ---- PackagerSink ------------------------------------------------------------------------

    def on_epoch(self, epoch: EpochInfo) -> None:
        self._epochs[epoch.epoch] = self._epoch = epoch
        self._next_epoch = epoch.epoch + 1
        self._change()

    def on_part(self, part: Part) -> None:
        forgotten = self._store.add(part)
        if self._open is None:
            self._open = self._list_segment(self._epochs[part.epoch], part.msn, part.start_ticks)
        self._open.parts.append(ListedPart(part.duration_ticks, part.is_independent))
        self._open.parts_count = len(self._open.parts)
        self._open.end_ticks = part.start_ticks + part.duration_ticks
        self._edge_ticks = self._open.end_ticks
        self._show_gaps([msn for msn in forgotten if msn in self._lost])
        self._change(new_part=part)

    def on_segment(self, segment: SegmentInfo) -> None:
        if self._open is None or self._open.msn != segment.msn:
            raise ValueError(f"segment {segment.msn} was closed without parts")
        self._close_segment(self._open, segment)
        self._open = None
        self._change()

    def on_epoch_end(self, epoch: int, reason: EndReason) -> None:  # noqa: ARG002 - the sink's shape.
        self._epoch = None
        self._change()

    def on_end(self) -> None:
        self._epoch = None
        self._set_ended(is_ended=True)

    def on_reopen(self) -> None:
        self._set_ended(is_ended=False)

    # ---- what is known -----------------------------------------------------------------------

    @property
    def is_ended(self) -> bool:
        return self._is_ended

    @property
    def is_empty(self) -> bool:
        """Nothing can be listed yet."""
        return not self._segments and self._open is None

    @property
    def duration_ticks(self) -> int:
        """Lecture time published so far, parts of the open segment included."""
        return self._edge_ticks

    @property
    def memory_bytes(self) -> int:
        return self._store.size_bytes

    @property
    def waiters_count(self) -> int:
        return self._waiters_count

    @property
    def edge(self) -> Edge:
        """How far the playlists have come. Asked four times per reload, made once per version."""
        if self._edge is None:
            self._edge = self._build_edge()
        return self._edge

    def find_init(self, epoch: int, rendition: Rendition, name: str) -> bytes:
        """Return an init segment.

        Raises:
            NotFoundError: No such epoch, or it has another init.
        """
        info = self._epochs.get(epoch)
        if info is None or info.inits[rendition][0] != name:
            raise NotFoundError(f"epoch {epoch} has no {name}")
        return info.inits[rendition][1]

    def find_segment(self, epoch: int, rendition: Rendition, msn: int) -> list[bytes] | None:
        """Return the bytes of a complete segment, part by part; ``None``: ask ``reader``.

        Raises:
            NotFoundError: Not listed (yet), or a gap.
        """
        segment = self._by_msn.get(msn)
        if segment is None or segment.epoch.epoch != epoch or segment.is_gap:
            raise NotFoundError(f"there is no segment {msn} in epoch {epoch}")
        stored = self._store.get(msn)
        return None if stored is None else stored.join(rendition)

    def measure_segment(self, rendition: Rendition, msn: int) -> int:
        """Return the bytes of a closed segment that ``find_segment`` left to ``reader``.

        Raises:
            NotFoundError: Not listed.
        """
        segment = self._by_msn.get(msn)
        if segment is None:
            raise NotFoundError(f"there is no segment {msn}")
        return segment.sizes.get(rendition, 0)

    # ---- what viewers wait for ---------------------------------------------------------------

    async def read_playlist(self, rendition: Rendition, request: ReloadRequest) -> Text:
        """Render the playlist once it holds what is asked for.

        Raises:
            InputError: 400, too far ahead.
            CapacityError: 503, nothing within the hold time, or too many waiters.
        """
        if not self._is_ended and not self.is_empty:
            check_reach(request, self.edge)
        if not self._has(request):
            await self._wait_for(lambda: self._has(request))
        return self._render(rendition, is_delta=request.may_skip)

    async def read_part(self, epoch: int, rendition: Rendition, *, msn: int, index: int) -> bytes:
        """Return a part; the hinted one is waited for.

        §6.2.6: a hinted part MUST NOT be sent before all of it is there.

        Raises:
            NotFoundError: Unknown, forgotten, or the hint was dropped.
            CapacityError: 503 as above.
        """
        address = NextPart(epoch, msn, index)
        if self._next_part() == address:
            await self._wait_for(lambda: self._next_part() != address)
        stored = self._store.get(msn)
        if stored is None or stored.epoch != epoch or index >= len(stored.parts):
            raise NotFoundError(f"there is no part {msn}.{index} in epoch {epoch}")
        return stored.parts[index][rendition]

    async def read_multivariant(self) -> bytes:
        """Render the multivariant playlist; waits for the first part.

        Raises:
            CapacityError: 503, no media within the hold time.
        """
        if self.is_empty:
            await self._wait_for(lambda: not self.is_empty)
        return render_multivariant(self._listed_epochs(), self._rates)

    # ---- inside ------------------------------------------------------------------------------

    def _build_edge(self) -> Edge:
        listed = 0 if self._open is None else len(self._open.parts)
        if self._segments:
            return Edge(self._segments[-1].msn, self._last_parts_count, listed)
        return Edge(-1 if self._open is None else self._open.msn - 1, 0, listed)

    def _listed_epochs(self) -> list[EpochInfo]:
        listed = {segment.epoch.epoch for segment in self._segments}
        if self._open is not None:
            listed.add(self._open.epoch.epoch)
        return [self._epochs[epoch] for epoch in sorted(listed)]

    def _list_segment(self, epoch: EpochInfo, msn: int, start_ticks: int) -> ListedSegment:
        starts_epoch = not self._segments or self._segments[-1].epoch is not epoch
        return ListedSegment(
            epoch=epoch,
            msn=msn,
            start_ticks=start_ticks,
            end_ticks=start_ticks,
            starts_epoch=starts_epoch,
            has_discontinuity=starts_epoch and bool(self._segments),
        )

    def _close_segment(self, segment: ListedSegment, info: SegmentInfo) -> None:
        if self._segments and info.msn != self._segments[-1].msn + 1:
            raise ValueError(f"segment {info.msn} follows {self._segments[-1].msn}")
        segment.is_closed, segment.parts_count = True, info.parts_count
        segment.sizes = info.sizes
        self._segments.append(segment)
        self._by_msn[info.msn] = segment
        self._edge_ticks = segment.end_ticks
        self._last_parts_count = info.parts_count
        self._rates.add(info)

    def _show_gaps(self, msns: Sequence[int]) -> None:
        for msn in msns:
            segment = self._by_msn.get(msn)
            if segment is None or segment.is_gap:
                continue
            segment.is_gap = True
            segment.lines.clear()
            for playlist in self._playlists.values():
                playlist.note_gap(msn - self._segments[0].msn)
            self._change()

    def _set_ended(self, *, is_ended: bool) -> None:
        if self._is_ended != is_ended:
            self._is_ended = is_ended
            for segment in self._segments[-PARTS_SEGMENTS_COUNT:]:
                # The final playlist lists no parts; after a reopening they are old news.
                segment.parts.clear()
                segment.lines.clear()
            self._change()

    def _next_part(self) -> NextPart | None:
        if self._is_ended:
            return None
        if self._open is not None:
            return NextPart(self._open.epoch.epoch, self._open.msn, len(self._open.parts))
        epoch = self._next_epoch if self._epoch is None else self._epoch.epoch
        first = 0 if self._epoch is None else self._epoch.first_msn
        return NextPart(epoch, max(self._segments[-1].msn + 1 if self._segments else 0, first), 0)

    def _has(self, request: ReloadRequest) -> bool:
        # §6.2.5.2 speaks of playlists that can grow; an ended one is what it is.
        return not self.is_empty and (self._is_ended or is_satisfied(request, self.edge))

    def _render(self, rendition: Rendition, *, is_delta: bool) -> Text:
        text = self._rendered.get((rendition, is_delta))
        if text is None:
            state = WindowState(
                segments=self._segments,
                open_segment=self._open,
                edge_ticks=self._edge_ticks,
                next_part=self._next_part(),
                is_ended=self._is_ended,
                settled_count=self._count_settled(),
            )
            playlist = self._playlists[rendition]
            delta = playlist.render_delta(state) if is_delta else None
            if delta is not None:
                text = delta
            else:
                text = self._rendered.get((rendition, False)) or playlist.render(state)
                self._rendered[rendition, False] = text
            self._rendered[rendition, is_delta] = text
        return text

    def _count_settled(self) -> int:
        """Segments that memory has forgotten: whether they are gaps is decided."""
        oldest = self._store.oldest_msn
        if not self._segments or oldest is None:
            return len(self._segments)
        return max(0, oldest - self._segments[0].msn)

    def _change(self, *, new_part: Part | None = None) -> None:
        """A new version: forget the rendered texts and wake everybody.

        A crowd is woken once the part that all of it will ask for lies in the gate's cache.
        """
        self._version += 1
        self._rendered.clear()
        self._edge = None
        if not self._waiters:
            return
        waiters, self._waiters = self._waiters, set()
        if new_part is None or len(waiters) <= WAKE_COUNT or self._open is None:
            self._wake(waiters)
            return
        key = segment_key(self.broadcast_id, epoch=new_part.epoch, rendition="av", msn=new_part.msn)
        index = len(self._open.parts) - 1
        path = f"/{key.removesuffix('.m4s')}.{index}.m4s"
        self._edge_cache.offer(path, lambda: self._wake(waiters))

    def _wake(self, waiters: set[asyncio.Future[None]]) -> None:
        """Wake some; the loop looks at its sockets before the next ones.

        The first viewers ask for the new part at once. Were a thousand playlists written before
        anybody reads their requests, the gate's cache would stay without the part, and every
        viewer's request for it would come through to us.
        """
        for _ in range(min(WAKE_COUNT, len(waiters))):
            waiter = waiters.pop()
            if not waiter.done():  # One that went away was cancelled.
                waiter.set_result(None)
        if waiters:
            asyncio.get_running_loop().call_soon(self._wake, waiters)

    async def _wait_for(self, condition: Callable[[], bool]) -> None:
        if self._waiters_count >= MAX_WAITERS:
            raise CapacityError("too many viewers wait for this broadcast", retry_after_s=2)
        self._waiters_count += 1
        try:
            async with asyncio.timeout(self._hold_s):
                while not condition():
                    waiter = asyncio.get_running_loop().create_future()
                    self._waiters.add(waiter)
                    try:
                        await waiter
                    finally:
                        self._waiters.discard(waiter)
        except TimeoutError as error:
            raise CapacityError(
                f"no new media within {self._hold_s:g} s", retry_after_s=RETRY_AFTER_S
            ) from error
        finally:
            self._waiters_count -= 1
