"""Join fragmented files into one CMAF file per rendition and list its segments.

Media data is copied byte for byte; only decode times and sequence numbers are rewritten. Where a
few frames were encoded alone, their composition offsets may have to follow the file's edit list:
then the small fragment is built anew around the same media data.
Functions named ``*_blocking`` read and write local files: call them in a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

from kernel.errors import EncodeError
from kernel.fmp4.fragment import TrackRun as SampleRun
from kernel.fmp4.fragment import build_fragment
from kernel.fmp4.init_reader import TrackInfo, parse_init
from kernel.fmp4.reader import Fragment, FragmentIndex, index_file, rewrite_moof
from kernel.timing import TICKS_PER_S, rescale
from transcode.edit.inits import fits_init, holds_parameters
from transcode.edit.samples import read_samples
from transcode.specs import Grid, Rung

_COPY_BYTES: Final = 1024 * 1024
MAX_INDEXED: Final = 2  # Indices kept: of the file that slices are taken of, and of the last one.


@dataclass(frozen=True, slots=True)
class Piece:
    """One file to join.

    Attributes:
        start_ticks: Lecture time of its first sample.
        samples_count: What it must hold; ``None`` when only its length matters.
        first_sample: Take whole fragments from this sample of the file on, ``samples_count`` of
            them; ``None`` takes the whole file.
    """

    path: Path
    start_ticks: int
    samples_count: int | None = None
    first_sample: int | None = None


@dataclass(frozen=True, slots=True)
class JoinedSegment:
    """One HLS segment: whole fragments, one byte range."""

    offset_bytes: int
    size_bytes: int
    start_ticks: int
    duration_ticks: int


@dataclass(frozen=True, slots=True)
class JoinedFile:
    """A finished rendition.

    Attributes:
        init_bytes: Size of ``ftyp`` + ``moov`` at its start.
        duration_ticks: Of all samples, from lecture time 0.
        edit_offset_ticks: How far showing lies behind decoding, in ticks of ``timescale_hz``.
    """

    path: Path
    init_bytes: int
    size_bytes: int
    codec: str
    samples_count: int
    duration_ticks: int
    segments: tuple[JoinedSegment, ...]
    timescale_hz: int = TICKS_PER_S
    edit_offset_ticks: int = 0


def half_frame_ticks(rung: Rung) -> int:
    """How much earlier than the others a rung of few frames a second may begin a segment."""
    return max(1, int(TICKS_PER_S / rung.frame_rate / 2))


def join_blocking(
    pieces: Sequence[Piece],
    output: Path,
    *,
    grid: Grid | None,
    early_ticks: int = 1,
    init: bytes | None = None,
) -> JoinedFile:
    """Join ``pieces`` into ``output``; segments begin on ``grid``.

    Args:
        grid: ``None`` makes a segment of every fragment.
        early_ticks: What starts so little before a boundary belongs behind it.
        init: Of the output when it is another than the first piece's; it must know the parameter
            sets of all pieces.

    Raises:
        EncodeError: An init differs, samples are missing, time has a hole, a fragment does not
            begin with a keyframe.
        BoxError: A piece is no fragmented MP4.
    """
    writer = _Joiner(grid, early_ticks, init)
    with output.open("wb") as target:
        for piece in pieces:
            writer.add(piece, target)
        size_bytes = target.tell()
    return writer.finish(output, size_bytes)


class _Joiner:
    def __init__(self, grid: Grid | None, early_ticks: int, init: bytes | None) -> None:
        self._grid = grid
        self._early_ticks = early_ticks
        self._given_init = init
        self._init = b""
        self._track: TrackInfo | None = None
        self._clock = 0  # In ticks of the track: where the next fragment must start.
        self._indexed: dict[Path, FragmentIndex] = {}
        self._sequence = 0
        self._samples_count = 0
        self._segments: list[JoinedSegment] = []

    def add(self, piece: Piece, target: BinaryIO) -> None:
        with piece.path.open("rb") as stream:
            index = self._read_index(piece.path, stream)
            self._take_init(piece, index, target)
            samples = 0
            for number, fragment in enumerate(_choose_fragments(piece, index)):
                samples += self._add_fragment(
                    piece, stream, fragment, index.init.tracks[0], target, is_first=number == 0
                )
        if piece.samples_count is not None and samples != piece.samples_count:
            raise EncodeError(f"{piece.path.name} has {samples} frames, not {piece.samples_count}")
        self._samples_count += samples

    def _read_index(self, path: Path, stream: BinaryIO) -> FragmentIndex:
        """Index a file once, however many slices of it are taken."""
        known = self._indexed.get(path)
        if known is None:
            if len(self._indexed) >= MAX_INDEXED:
                self._indexed.popitem()  # The newest: slices are taken of the oldest.
            known = self._indexed[path] = index_file(stream, path.stat().st_size)
        return known

    def _take_init(self, piece: Piece, index: FragmentIndex, target: BinaryIO) -> None:
        if len(index.init.tracks) != 1:
            raise EncodeError(f"{piece.path.name} has {len(index.init.tracks)} tracks, not 1")
        if self._track is None:
            self._init = self._given_init or index.init_bytes
            self._track = parse_init(self._init).tracks[0]
            target.write(self._init)
        fits = fits_init if self._given_init is None else holds_parameters
        if not fits(index.init_bytes, self._init):
            raise EncodeError(f"{piece.path.name} has another init segment than the first range")

    def _add_fragment(
        self,
        piece: Piece,
        stream: BinaryIO,
        fragment: Fragment,
        own: TrackInfo,
        target: BinaryIO,
        *,
        is_first: bool,
    ) -> int:
        run = fragment.find(own.track_id)
        if run is None or len(fragment.runs) != 1:
            raise EncodeError(f"a fragment of {piece.path.name} does not hold just its track")
        track = self._track
        assert track is not None  # noqa: S101 - set by _take_init
        start = rescale(self._clock, from_hz=track.timescale_hz, to_hz=TICKS_PER_S)
        if is_first and abs(start - piece.start_ticks) > 1:
            raise EncodeError(f"{piece.path.name} starts at {piece.start_ticks}, not at {start}")
        # With the edit list, a fragment is shown from its decode time on, B-frames or not.
        shown = run.first_pts_ticks - own.edit_offset_ticks
        if not run.is_sync_first or shown != run.tfdt_ticks:
            raise EncodeError(f"a fragment of {piece.path.name} does not begin with a keyframe")
        self._sequence += 1
        offset = target.tell()
        late_ticks = track.edit_offset_ticks - own.edit_offset_ticks
        if late_ticks or own.track_id != track.track_id:
            stream.seek(fragment.offset)
            samples = read_samples(stream.read(fragment.size_bytes), own)
            moved = [replace(item, offset_ticks=item.offset_ticks + late_ticks) for item in samples]
            new = SampleRun(track.track_id, self._clock, moved)
            target.write(build_fragment(self._sequence, [new]))
        else:
            stream.seek(fragment.offset)
            target.write(
                rewrite_moof(
                    stream.read(fragment.moof_bytes),
                    sequence_number=self._sequence,
                    shifts={track.track_id: self._clock - run.tfdt_ticks},
                )
            )
            _copy_blocking(stream, target, fragment.size_bytes - fragment.moof_bytes)
        self._clock += run.duration_ticks
        end = rescale(self._clock, from_hz=track.timescale_hz, to_hz=TICKS_PER_S)
        self._list(offset, target.tell() - offset, start, end - start)
        return run.samples_count

    def _list(self, offset: int, size: int, start: int, duration: int) -> None:
        """Open a segment, or extend the last one when an epoch began inside its slot."""
        last = self._segments[-1] if self._segments else None
        if last is not None and self._is_same_slot(last.start_ticks, start):
            self._segments[-1] = JoinedSegment(
                last.offset_bytes,
                last.size_bytes + size,
                last.start_ticks,
                last.duration_ticks + duration,
            )
        else:
            self._segments.append(JoinedSegment(offset, size, start, duration))

    def _is_same_slot(self, one: int, other: int) -> bool:
        if self._grid is None:
            return False
        early = self._early_ticks
        return self._grid.slot(one + early) == self._grid.slot(other + early)

    def finish(self, output: Path, size_bytes: int) -> JoinedFile:
        if self._track is None or not self._segments:
            raise EncodeError(f"{output.name} is empty")
        duration = rescale(self._clock, from_hz=self._track.timescale_hz, to_hz=TICKS_PER_S)
        return JoinedFile(
            path=output,
            init_bytes=len(self._init),
            size_bytes=size_bytes,
            codec=self._track.codec,
            samples_count=self._samples_count,
            duration_ticks=duration,
            segments=tuple(self._segments),
            timescale_hz=self._track.timescale_hz,
            edit_offset_ticks=self._track.edit_offset_ticks,
        )


def _choose_fragments(piece: Piece, index: FragmentIndex) -> Sequence[Fragment]:
    if piece.first_sample is None:
        return index.fragments
    first, end = piece.first_sample, piece.first_sample + (piece.samples_count or 0)
    chosen: list[Fragment] = []
    place = 0
    for fragment in index.fragments:
        after = place + fragment.runs[0].samples_count
        if first <= place and after <= end:
            chosen.append(fragment)
        place = after
    return chosen


def _copy_blocking(source: BinaryIO, target: BinaryIO, count: int) -> None:
    while count > 0:
        data = source.read(min(count, _COPY_BYTES))
        if not data:
            raise EncodeError("a file became shorter while it was read")
        target.write(data)
        count -= len(data)
