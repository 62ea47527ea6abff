"""Text of one rendition's live playlist, rendered from cached lines. Pure. No I/O, no clock.

Lines of segments old enough to list no parts never change: they are kept joined and compressed, so
that a class of hours costs per version only what is new (a zlib state is copied, not fed again).
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from kernel.hls import (
    InitMap,
    MediaPlaylist,
    Part,
    PreloadHint,
    RenditionReport,
    Segment,
    ServerControl,
    format_date,
    format_seconds,
    render_media_playlist,
    render_segment,
)
from kernel.hls.render import render_preload_hint, render_rendition_report
from kernel.layout import Rendition
from kernel.timing import TICKS_PER_S, to_seconds
from streamer import ports
from streamer.timeline import PART_TICKS, TARGET_DURATION_S

TARGET_TICKS: Final = TARGET_DURATION_S * TICKS_PER_S
PARTS_SEGMENTS_COUNT: Final = 2  # §4.4.4.9: parts SHOULD go after 3 target durations. Two closed
# segments and the open one never exceed that, reach back twice PART-HOLD-BACK, and are what
# linters count (one of them takes the preload hint for a segment of its own).
SKIP_TICKS: Final = 6 * TARGET_TICKS  # §4.4.3.8: CAN-SKIP-UNTIL MUST be >= 6 target durations.
CONTROL: Final = ServerControl(
    may_block_reload=True,
    skip_until_ticks=SKIP_TICKS,
    part_hold_back_ticks=3 * PART_TICKS,  # Apple 14.3: >= 3 x PART-TARGET.
    hold_back_ticks=3 * TARGET_TICKS,  # §4.4.3.8: >= 3 target durations.
)
_GZIP_LEVEL: Final = 5
_GZIP_BITS: Final = 31  # zlib: gzip framing, 32 kB window.


@dataclass(frozen=True, slots=True)
class ListedPart:
    """What a playlist says of a part."""

    duration_ticks: int
    is_independent: bool


@dataclass(slots=True)
class ListedSegment:
    """A segment as it is listed; ``info`` is ``None`` while it is being made.

    Attributes:
        starts_epoch: EXT-X-MAP stands before it.
        has_discontinuity: EXT-X-DISCONTINUITY stands before it.
        is_gap: The recorder lost it and memory has forgotten it.
        parts: As far as they can still be listed; ``parts_count`` stays.
        sizes: Bytes per rendition once it is closed.
        lines: Rendered text by (rendition, with parts), while nothing in it can change.
    """

    epoch: ports.EpochInfo
    msn: int
    start_ticks: int
    end_ticks: int
    starts_epoch: bool
    has_discontinuity: bool
    is_closed: bool = False
    is_gap: bool = False
    parts: list[ListedPart] = field(default_factory=list)
    parts_count: int = 0
    sizes: Mapping[Rendition, int] = field(default_factory=dict)
    lines: dict[tuple[Rendition, bool], bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NextPart:
    """Address of the part that will come next: the preload hint."""

    epoch: int
    msn: int
    index: int


@dataclass(frozen=True, slots=True)
class WindowState:
    """What a playlist is rendered from. ``segments`` are closed, in order."""

    segments: list[ListedSegment]
    open_segment: ListedSegment | None
    edge_ticks: int
    next_part: NextPart | None
    is_ended: bool
    settled_count: int
    """Segments from the first that cannot change any more: no parts, no gap to come."""

    @property
    def parts_from(self) -> int:
        """Index of the first closed segment that lists its parts."""
        if self.is_ended:
            return len(self.segments)
        return max(0, len(self.segments) - PARTS_SEGMENTS_COUNT)


@dataclass(frozen=True, slots=True)
class Text:
    """A rendered playlist in both encodings."""

    plain: bytes
    gzipped: bytes


class _Settled:
    """Joined and compressed lines of the head and of all segments that list no parts."""

    def __init__(self, head: bytes) -> None:
        self._head = head
        self.reset()

    def reset(self) -> None:
        self._plain = bytearray(self._head)
        self._compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_BITS)
        self._gzipped = bytearray(self._compressor.compress(self._head))

    def add(self, lines: bytes) -> None:
        self._plain += lines
        self._gzipped += self._compressor.compress(lines)

    def finish(self, tail: bytes) -> Text:
        compressor = self._compressor.copy()
        gzipped = bytes(self._gzipped) + compressor.compress(tail) + compressor.flush()
        return Text(bytes(self._plain) + tail, gzipped)


class RenditionPlaylist:
    """One rendition's view of the window; the window owns the segments."""

    def __init__(self, rendition: Rendition, *, other: Rendition) -> None:
        self._rendition = rendition
        self._other = other
        self._settled: _Settled | None = None
        self._settled_count = 0

    def note_gap(self, index: int) -> None:
        """Segment ``index`` is a gap now; join and compress again only when it was settled."""
        if index < self._settled_count:
            self._settled, self._settled_count = None, 0

    def render(self, state: WindowState) -> Text:
        """Render the full playlist.

        Cost: what memory holds (60 s) joined, the rest is copied; everything after a late gap.
        """
        settled = self._settle(state)
        recent = state.segments[self._settled_count :]
        body = b"".join(
            self._lines(segment, has_parts=index >= state.parts_from)
            for index, segment in enumerate(recent, self._settled_count)
        )
        return settled.finish(body + self._render_tail(state))

    def render_delta(self, state: WindowState) -> Text | None:
        """Render a delta update; ``None`` when there is nothing to skip.

        §6.2.5.1: segments further from the end than the Skip Boundary are replaced by EXT-X-SKIP.
        EXT-X-MAP still applies to what follows, so it is repeated where its segment was skipped.
        """
        segments = state.segments
        first = len(segments)
        while first > 0 and segments[first - 1].end_ticks > state.edge_ticks - SKIP_TICKS:
            first -= 1
        if first == 0 or state.is_ended:
            return None
        out = [_render_head(state), f"#EXT-X-SKIP:SKIPPED-SEGMENTS={first}\n".encode()]
        following = segments[first:] or [s for s in (state.open_segment,) if s is not None]
        if following and not following[0].starts_epoch:
            out.append(f'#EXT-X-MAP:URI="{self._init_uri(following[0].epoch)}"\n'.encode())
        for index, segment in enumerate(segments[first:], first):
            out.append(self._lines(segment, has_parts=index >= state.parts_from))
        plain = b"".join((*out, self._render_tail(state)))
        return Text(plain, gzip.compress(plain, _GZIP_LEVEL, mtime=0))

    def _settle(self, state: WindowState) -> _Settled:
        if self._settled is None:
            self._settled, self._settled_count = _Settled(_render_head(state)), 0
        while self._settled_count < min(state.settled_count, state.parts_from):
            segment = state.segments[self._settled_count]
            self._settled.add(self._render_segment(segment, has_parts=False))
            segment.lines.clear()  # From here on it is part of the joined text.
            self._settled_count += 1
        return self._settled

    def _lines(self, segment: ListedSegment, *, has_parts: bool) -> bytes:
        key = (self._rendition, has_parts)
        lines = segment.lines.get(key)
        if lines is None:
            lines = segment.lines[key] = self._render_segment(segment, has_parts=has_parts)
        return lines

    def _render_tail(self, state: WindowState) -> bytes:
        if state.is_ended:
            return b"#EXT-X-ENDLIST\n"
        out = b""
        if state.open_segment is not None:
            out += self._render_segment(state.open_segment, has_parts=True)
        following = state.next_part
        if following is None:
            return out
        # §6.2.2: exactly one hint while the playlist can grow, equal to the later EXT-X-PART.
        hint = PreloadHint(self._part_uri(following.epoch, following.msn, following.index))
        last = state.open_segment or (state.segments[-1] if state.segments else None)
        if last is None:
            return out + render_preload_hint(hint).encode()
        last_part = last.parts_count - 1 if last.parts_count else None
        report = RenditionReport(f"{self._other}.m3u8", last.msn, last_part)
        return out + (render_preload_hint(hint) + render_rendition_report(report)).encode()

    def _render_segment(self, segment: ListedSegment, *, has_parts: bool) -> bytes:
        after_start = segment.start_ticks - segment.epoch.start_ticks
        moment = segment.epoch.program_date_time + timedelta(seconds=to_seconds(after_start))
        if segment.is_closed and not (segment.starts_epoch or has_parts or segment.is_gap):
            # The common case of a long class, spelt out: thousands are rendered after a restart.
            return (
                f"#EXT-X-PROGRAM-DATE-TIME:{format_date(moment)}\n"
                f"#EXTINF:{format_seconds(segment.end_ticks - segment.start_ticks)},\n"
                f"{segment.epoch.epoch}/{self._rendition}/{segment.msn}.m4s\n"
            ).encode()
        return render_segment(
            Segment(
                uri=f"{segment.epoch.epoch}/{self._rendition}/{segment.msn}.m4s"
                if segment.is_closed
                else "",
                duration_ticks=segment.end_ticks - segment.start_ticks,
                parts=tuple(self._iter_parts(segment)) if has_parts else (),
                init=InitMap(self._init_uri(segment.epoch)) if segment.starts_epoch else None,
                is_discontinuity=segment.has_discontinuity,
                program_date_time=moment,
                is_gap=segment.is_gap,
            )
        ).encode()

    def _iter_parts(self, segment: ListedSegment) -> Iterator[Part]:
        for index, part in enumerate(segment.parts):
            yield Part(
                uri=self._part_uri(segment.epoch.epoch, segment.msn, index),
                duration_ticks=part.duration_ticks,
                # Every AAC frame can be decoded by itself.
                is_independent=part.is_independent or self._rendition == "audio",
                is_gap=segment.is_gap,
            )

    def _part_uri(self, epoch: int, msn: int, index: int) -> str:
        return f"{epoch}/{self._rendition}/{msn}.{index}.m4s"

    def _init_uri(self, epoch: ports.EpochInfo) -> str:
        return f"{epoch.epoch}/{self._rendition}/{epoch.inits[self._rendition][0]}"


def _render_head(state: WindowState) -> bytes:
    """Render what stands before the first segment; the same for the whole life of a window."""
    first = state.segments[0] if state.segments else state.open_segment
    if first is None:
        raise ValueError("a playlist needs at least one part")
    playlist = MediaPlaylist(
        target_duration_s=TARGET_DURATION_S,
        segments=(),
        media_sequence=first.msn,
        discontinuity_sequence=first.epoch.discontinuity,
        server_control=CONTROL,
        part_target_ticks=PART_TICKS,
    )
    return render_media_playlist(playlist).encode()
