"""A publisher and its viewers in fake time: the packager under test, real window, checked sinks."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from kernel.aac import build_asc
from kernel.clock import FakeClock
from kernel.errors import BlobMissingError
from kernel.hls import MediaPlaylist, parse_media_playlist
from kernel.layout import RENDITIONS, Rendition
from streamer.live.blocking import ReloadRequest
from streamer.live.window import LiveWindow
from streamer.media import AudioConfig, AudioUnit, VideoConfig, VideoUnit
from streamer.packager import Packager
from streamer.ports import EndReason, EpochInfo, Part, ResumePoint, SegmentInfo

SMALL = VideoConfig(
    sps=(bytes.fromhex("6742c00cda05067e7840000003004000000c83c50aa8"),),
    pps=(bytes.fromhex("68ce0fc8"),),
)
LARGE = VideoConfig(
    sps=(bytes.fromhex("6742c01eda0280bfe584000003000400000300c83c58ba80"),),
    pps=(bytes.fromhex("68ce0fc8"),),
)
PART, SECOND = 45_000, 90_000


def aac(rate_hz: int, channels: int = 2) -> AudioConfig:
    asc = build_asc(sample_rate_hz=rate_hz, channels_count=channels)
    return AudioConfig(asc=asc, sample_rate_hz=rate_hz, channels_count=channels)


class NullReader:
    """A spool that has nothing."""

    async def read_segment(self, epoch: int, rendition: Rendition, msn: int) -> bytes:
        raise BlobMissingError(f"{epoch}/{rendition}/{msn}")

    async def iter_segment(
        self, epoch: int, rendition: Rendition, msn: int, *, start: int, end: int | None
    ) -> AsyncIterator[bytes]:
        raise BlobMissingError(f"{epoch}/{rendition}/{msn} [{start}, {end})")
        yield b""


@dataclass(frozen=True)
class Run:
    """One trun as it was written."""

    track: int
    decode: int
    durations: list[int]
    offsets: list[int]
    syncs: list[bool]
    sizes: list[int]


def iter_boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    while position < len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        assert size >= 8
        assert position + size <= len(data)
        yield kind, data[position + 8 : position + size]
        position += size


def read_runs(fragment: bytes) -> list[Run]:
    """Read a moof with a reader of the tests' own, so that our two do not agree by birth."""
    (moof, head), (mdat, _) = iter_boxes(fragment)
    assert (moof, mdat) == (b"moof", b"mdat")
    runs = []
    for kind, traf in iter_boxes(head):
        if kind != b"traf":
            continue
        boxes = dict(iter_boxes(traf))
        tfhd, tfdt, trun = boxes[b"tfhd"], boxes[b"tfdt"], boxes[b"trun"]
        flags = int.from_bytes(tfhd[1:4], "big")
        track = int.from_bytes(tfhd[4:8], "big")
        rest = [int.from_bytes(tfhd[at : at + 4], "big") for at in range(8, len(tfhd), 4)]
        default_duration = rest.pop(0) if flags & 0x08 else None
        default_flags = rest.pop(0) if flags & 0x20 else None
        assert tfdt[0] == 1
        decode = int.from_bytes(tfdt[4:12], "big")
        flags, count = int.from_bytes(trun[1:4], "big"), int.from_bytes(trun[4:8], "big")
        position = 12
        first_flags = None
        if flags & 0x4:
            first_flags = int.from_bytes(trun[12:16], "big")
            position = 16
        run = Run(track, decode, [], [], [], [])
        for index in range(count):
            duration, sample_flags, offset = default_duration, default_flags, 0
            if flags & 0x100:
                duration = int.from_bytes(trun[position : position + 4], "big")
                position += 4
            run.sizes.append(int.from_bytes(trun[position : position + 4], "big"))
            position += 4
            if flags & 0x400:
                sample_flags = int.from_bytes(trun[position : position + 4], "big")
                position += 4
            if flags & 0x800:
                offset = int.from_bytes(trun[position : position + 4], "big", signed=True)
                position += 4
            if index == 0 and first_flags is not None:
                sample_flags = first_flags
            assert duration is not None
            assert sample_flags is not None
            run.durations.append(duration)
            run.offsets.append(offset)
            run.syncs.append(not sample_flags & 0x10000)
        assert position == len(trun)
        runs.append(run)
    return runs


@dataclass
class CheckedSink:
    """Notes everything and checks the order and the invariants of the packager's output."""

    epochs: list[EpochInfo] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    segments: list[SegmentInfo] = field(default_factory=list)
    ends: list[tuple[int, EndReason]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    _open: list[Part] = field(default_factory=list)
    _last_decode: dict[tuple[int, int], int] = field(default_factory=dict)

    def on_epoch(self, epoch: EpochInfo) -> None:
        self.calls.append("epoch")
        if self.epochs:
            last = self.epochs[-1]
            assert epoch.epoch == last.epoch + 1
            assert epoch.discontinuity == last.discontinuity + 1
            assert epoch.program_date_time >= last.program_date_time
            assert [number for number, _ in self.ends][-1] == last.epoch
        if self.segments:
            assert epoch.first_msn == self.segments[-1].msn + 1
            assert epoch.start_ticks == sum(s.duration_ticks for s in self.segments)
        self.epochs.append(epoch)

    def on_part(self, part: Part) -> None:
        self.calls.append("part")
        epoch = self.epochs[-1]
        assert part.epoch == epoch.epoch
        assert part.msn == epoch.first_msn + sum(s.epoch == epoch.epoch for s in self.segments)
        assert part.index == len(self._open)
        assert 0 < part.duration_ticks <= PART
        if self._open:
            assert self._open[-1].duration_ticks == PART  # Only the last may be shorter.
            assert part.start_ticks == self._open[-1].start_ticks + PART
        self._check_media(part, epoch)
        self._open.append(part)
        self.parts.append(part)

    def _check_media(self, part: Part, epoch: EpochInfo) -> None:
        runs = read_runs(part.media["av"])
        alone = read_runs(part.media["audio"])
        assert [run for run in runs if run.track == 2] == alone
        assert len(alone) == 1
        for run in runs:
            key = (run.track, epoch.epoch)
            assert run.decode > self._last_decode.get(key, -1), "dts must increase"
            self._last_decode[key] = run.decode + sum(run.durations[:-1])
            assert all(duration > 0 for duration in run.durations)
        video = [run for run in runs if run.track == 1]
        starts_with_idr = bool(video) and video[0].syncs[0]
        assert part.is_independent == (starts_with_idr or epoch.video_codec is None)
        assert all(alone[0].syncs)
        assert set(alone[0].durations) == {1024}

    def on_segment(self, segment: SegmentInfo) -> None:
        self.calls.append("segment")
        assert segment.msn == self._open[0].msn
        assert segment.start_ticks == self._open[0].start_ticks
        assert segment.duration_ticks == sum(part.duration_ticks for part in self._open)
        assert 0 < segment.duration_ticks <= 4 * SECOND
        assert segment.parts_count == len(self._open)
        for rendition in RENDITIONS:
            sizes = sum(len(part.media[rendition]) for part in self._open)
            assert segment.sizes[rendition] == sizes
        if self.segments:
            last = self.segments[-1]
            assert segment.msn == last.msn + 1
            assert segment.start_ticks == last.start_ticks + last.duration_ticks
        self.segments.append(segment)
        self._open = []

    def on_epoch_end(self, epoch: int, reason: EndReason) -> None:
        self.calls.append("epoch_end")
        assert self._open == [], "an epoch ends with a closed segment"
        self.ends.append((epoch, reason))

    def on_end(self) -> None:
        self.calls.append("end")

    def on_reopen(self) -> None:
        self.calls.append("reopen")

    def audio_positions(self, epoch: int) -> list[int]:
        positions: list[int] = []
        for part in self.parts:
            if part.epoch == epoch:
                (run,) = read_runs(part.media["audio"])
                positions += [run.decode + 1024 * index for index in range(len(run.sizes))]
        return positions

    def video_samples(self, epoch: int) -> list[tuple[int, int, bool]]:
        """Dts, pts and sync of every picture of an epoch."""
        samples = []
        for part in self.parts:
            for run in read_runs(part.media["av"]):
                if part.epoch == epoch and run.track == 1:
                    decode = run.decode
                    for duration, offset, is_sync in zip(
                        run.durations, run.offsets, run.syncs, strict=True
                    ):
                        samples.append((decode, decode + offset, is_sync))
                        decode += duration
        return samples


class CheckedWindow(LiveWindow):
    """The real window; every version of its playlists is held against the one before."""

    def __init__(self) -> None:
        super().__init__("b", NullReader())
        self.last: dict[Rendition, MediaPlaylist] = {}
        self.versions_count = 0

    def _change(self, *, new_part: Part | None = None) -> None:
        super()._change(new_part=new_part)
        if self.is_empty:
            return
        self.versions_count += 1
        for rendition in RENDITIONS:
            self._check(rendition)

    def _check(self, rendition: Rendition) -> None:
        text = self._render(rendition, is_delta=False).plain.decode()
        playlist = parse_media_playlist(text)
        check_rules(playlist)
        before = self.last.get(rendition)
        if before is not None:
            check_successor(before, playlist)
        self.last[rendition] = playlist
        delta_text = self._render(rendition, is_delta=True).plain.decode()
        check_delta(parse_media_playlist(delta_text), playlist)


def check_rules(playlist: MediaPlaylist) -> None:
    """The rules of live.md §5.2 that concern one playlist by itself."""
    assert playlist.target_duration_s == 4
    assert playlist.part_target_ticks == PART
    assert not playlist.has_independent_segments
    control = playlist.server_control
    assert control is not None
    assert control.may_block_reload
    assert control.skip_until_ticks == 24 * SECOND
    assert control.part_hold_back_ticks == 3 * PART
    assert control.hold_back_ticks == 12 * SECOND
    segments = list(playlist.segments)
    assert all(0 < segment.duration_ticks <= 4 * SECOND for segment in segments)
    listed = [*segments, *([playlist.trailing] if playlist.trailing else [])]
    assert listed[0].init is not None
    for segment in listed:
        assert segment.program_date_time is not None
        if segment.is_discontinuity:
            assert segment.init is not None
        assert all(part.duration_ticks == PART for part in segment.parts[:-1])
        if segment.parts and segment.uri:
            assert sum(part.duration_ticks for part in segment.parts) == segment.duration_ticks
    for earlier, later in pairwise(segments):
        assert earlier.program_date_time is not None
        assert later.program_date_time is not None
        assert later.program_date_time >= earlier.program_date_time
    assert playlist.is_ended == (playlist.preload_hint is None)
    if not playlist.is_ended:
        check_edge(playlist)


def check_edge(playlist: MediaPlaylist) -> None:
    (report,) = playlist.rendition_reports
    last = playlist.media_sequence + len(playlist.segments) - 1
    if playlist.trailing is not None:
        assert (report.last_msn, report.last_part) == (last + 1, len(playlist.trailing.parts) - 1)
    else:
        assert report.last_msn == last
    # 4.4.4.9: parts only within the last three target durations; linters count segments.
    for back, segment in enumerate(reversed(playlist.segments)):
        # A reopened class lists none for what was closed before its end.
        assert back < 2 or not segment.parts


def check_successor(before: MediaPlaylist, after: MediaPlaylist) -> None:
    """6.2.1: what was listed stays as it was, sequences never decrease."""
    assert after.media_sequence >= before.media_sequence
    assert (after.discontinuity_sequence or 0) >= (before.discontinuity_sequence or 0)
    assert len(after.segments) >= len(before.segments)
    for old, new in zip(before.segments, after.segments, strict=False):
        assert (old.uri, old.duration_ticks, old.init, old.is_discontinuity) == (
            new.uri,
            new.duration_ticks,
            new.init,
            new.is_discontinuity,
        )
        assert old.program_date_time == new.program_date_time
        # An ended playlist lists no parts; a reopened one does again.
        assert new.parts in {old.parts, ()} or before.is_ended
    if before.trailing is not None:
        at = len(before.segments)
        grown = after.segments[at] if at < len(after.segments) else after.trailing
        assert grown is not None
        if grown.parts:
            assert grown.parts[: len(before.trailing.parts)] == before.trailing.parts
        assert grown.init == before.trailing.init


def check_delta(delta: MediaPlaylist, full: MediaPlaylist) -> None:
    """A delta update with what it skipped put back is the full playlist."""
    if delta.skip is None:
        assert delta == full
        return
    count = delta.skip.skipped_count
    assert count > 0
    assert delta.media_sequence == full.media_sequence
    assert delta.discontinuity_sequence == full.discontinuity_sequence
    rest = full.segments[count:]
    assert len(delta.segments) == len(rest)
    kept = sum(segment.duration_ticks for segment in rest)
    kept += sum(part.duration_ticks for part in full.trailing.parts) if full.trailing else 0
    assert kept >= 24 * SECOND, "segments within the skip boundary were skipped"
    assert kept - rest[0].duration_ticks < 24 * SECOND + 4 * SECOND
    in_force = [segment.init for segment in full.segments[: count + 1] if segment.init][-1]
    assert delta.segments[0].init == in_force
    assert [s.uri for s in delta.segments] == [s.uri for s in rest]
    assert delta.segments[1:] == rest[1:]
    assert delta.trailing == full.trailing
    assert delta.preload_hint == full.preload_hint


class World:
    """A packager with a checked sink and a checked window, and a clock that follows the media."""

    def __init__(self, resume: ResumePoint | None = None) -> None:
        self.clock = FakeClock()
        self.sink = CheckedSink()
        self.window = CheckedWindow()
        self.packager = Packager("b", [self.sink, self.window], self.clock, resume)

    def play(self, units: list[VideoUnit | AudioUnit], *, pace: bool = True) -> None:
        """Write units in the given order; the wall clock follows their time stamps."""
        start, began = min(map(time_of, units), default=0), self.clock.monotonic_s()
        for unit in units:
            due = began + (time_of(unit) - start) / SECOND
            while pace and self.clock.monotonic_s() + 0.1 < due:
                self.clock.advance(0.1)
                self.packager.tick()
            if isinstance(unit, VideoUnit):
                self.packager.write_video(unit)
            else:
                self.packager.write_audio(unit)

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)
            self.packager.tick()

    def playlist(self, rendition: Rendition = "av") -> MediaPlaylist:
        return parse_media_playlist(self.window._render(rendition, is_delta=False).plain.decode())

    async def reload(self, msn: int, part: int | None = None) -> MediaPlaylist:
        text = await self.window.read_playlist("av", ReloadRequest(msn, part))
        return parse_media_playlist(text.plain.decode())


def time_of(unit: VideoUnit | AudioUnit) -> int:
    return unit.dts if isinstance(unit, VideoUnit) else unit.pts


def picture(dts: int, *, is_idr: bool, delay: int = 0) -> VideoUnit:
    data = bytes((0x65 if is_idr else 0x41,)) + dts.to_bytes(8, "big", signed=True)
    return VideoUnit(dts + delay, dts, len(data).to_bytes(4, "big") + data, is_idr)


def pictures(
    seconds: float, *, fps: float = 25, gop: int = 50, start: int = 0, b_frames: bool = False
) -> list[VideoUnit]:
    step = SECOND / fps
    units = []
    for index in range(round(seconds * fps)):
        # Delays of an IPBB pattern whose first picture is shown two frames after it is decoded.
        delay = round(step * (2 if index % gop % 3 == 0 else 1)) if b_frames else 0
        dts = start + round(index * step)
        units.append(picture(dts, is_idr=index % gop == 0, delay=delay))
    return units


def sound(
    seconds: float, *, rate: int = 48_000, start: int = 0, in_ms: bool = False
) -> list[AudioUnit]:
    units = []
    for index in range(int(seconds * rate / 1024)):
        pts = start + round(index * 1024 * SECOND / rate)
        units.append(
            AudioUnit(pts // 90 * 90 if in_ms else pts, b"real" + index.to_bytes(4, "big"))
        )
    return units


def mix(*tracks: list[VideoUnit] | list[AudioUnit]) -> list[VideoUnit | AudioUnit]:
    """Interleave tracks by time."""
    units: list[VideoUnit | AudioUnit] = [unit for track in tracks for unit in track]
    return sorted(units, key=time_of)
