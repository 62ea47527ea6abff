"""Cut encoded sound at its own frames (AAC: 1024 samples). No sample is decoded.

Which frame stands for which moment is chosen anew at every cut, so that the sound is never more
than half a frame (11 ms) away from the pictures, however many cuts there are.

No cut clicks, though nothing is mixed here: AAC windows of 2048 samples overlap by half, so a
decoder adds the fading tail of the last kept frame to the rising head of the next one. That is a
cross-fade of 1024 samples (21 ms) at the joint which moves no sample; a test measures it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from kernel.errors import EncodeError
from kernel.fmp4.fragment import Sample, TrackRun, build_fragment
from kernel.fmp4.init_reader import TrackInfo
from kernel.fmp4.reader import FragmentIndex, index_file
from kernel.timing import TICKS_PER_S, rescale
from transcode.edit.samples import read_samples
from transcode.joins import JoinedFile, JoinedSegment

MAX_FRAGMENT_BYTES: Final = 64 * 1024 * 1024  # Four seconds of AAC are < 100 kB.


@dataclass(frozen=True, slots=True)
class SoundPiece:
    """Successive frames of the output: base frames ``[first, first + count)``."""

    first: int
    count: int


def choose_frames(
    kept: Sequence[tuple[int, int]],
    places: Sequence[int],
    *,
    frames_count: int,
    samples_per_frame: int,
    rate_hz: int,
) -> tuple[SoundPiece, ...]:
    """Choose the frames of every kept range.

    Args:
        kept: Half-open ranges in base ticks.
        places: Out ticks where each range begins, and where the last one ends.
        frames_count: Of the base.
    """
    per_tick = TICKS_PER_S * samples_per_frame
    edges = [_nearest(place * rate_hz, per_tick) for place in places]
    pieces: list[SoundPiece] = []
    for (start, _), place, (out, out_end) in zip(
        kept, places, itertools.pairwise(edges), strict=False
    ):
        # How far base and out time are apart, to the nearest frame.
        first = out + _nearest((start - place) * rate_hz, per_tick)
        count = out_end - out
        first = max(0, min(first, frames_count - count))
        count = min(count, frames_count - first)
        if count > 0:
            pieces.append(SoundPiece(first, count))
    return tuple(pieces)


def _nearest(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def count_frames_blocking(path: Path) -> tuple[int, int, int]:
    """Frames, samples per frame and samples per second of an audio file of ours.

    The last frame may be shorter than the others: the sound ends inside it.
    """
    with path.open("rb") as stream:
        index = index_file(stream, path.stat().st_size)
        if not index.fragments:
            raise EncodeError(f"{path.name} is empty", permanent=True)
        frames = _Frames(stream, index)
        length = next(frames.take(SoundPiece(0, 1))).duration_ticks
    count = sum(item.runs[0].samples_count for item in index.fragments)
    return count, length, index.init.tracks[0].timescale_hz


def cut_sound_blocking(
    source: Path, pieces: Sequence[SoundPiece], boundaries: Sequence[int], output: Path
) -> JoinedFile:
    """Write the chosen frames as one file, a fragment and segment for each boundary.

    Args:
        boundaries: Out ticks where segments begin, the first one 0.

    Raises:
        EncodeError: A piece lies outside of the source.
    """
    size = source.stat().st_size
    with source.open("rb") as stream, output.open("wb") as target:
        index = index_file(stream, size)
        writer = _Writer(index, boundaries, target)
        frames = _Frames(stream, index)
        for piece in pieces:
            for sample in frames.take(piece):
                writer.add(sample)
        return writer.finish(output)


class _Frames:
    """Reads frames in order, one fragment in memory at a time."""

    def __init__(self, stream: BinaryIO, index: FragmentIndex) -> None:
        self._stream = stream
        self._index = index
        self._firsts = [
            0,
            *itertools.accumulate(item.runs[0].samples_count for item in index.fragments),
        ]
        self._held: tuple[int, list[Sample]] | None = None

    def take(self, piece: SoundPiece) -> Iterator[Sample]:
        if piece.first < 0 or piece.first + piece.count > self._firsts[-1]:
            raise EncodeError(f"sound frames {piece} of {self._firsts[-1]}", permanent=True)
        place, end = piece.first, piece.first + piece.count
        for number, (first, after) in enumerate(itertools.pairwise(self._firsts)):
            if after <= place or first >= end:
                continue
            yield from self._read(number)[max(place, first) - first : min(end, after) - first]

    def _read(self, number: int) -> list[Sample]:
        if self._held is not None and self._held[0] == number:
            return self._held[1]
        fragment = self._index.fragments[number]
        if fragment.size_bytes > MAX_FRAGMENT_BYTES:
            raise EncodeError(f"a sound fragment of {fragment.size_bytes} bytes", permanent=True)
        self._stream.seek(fragment.offset)
        data = self._stream.read(fragment.size_bytes)
        samples = read_samples(data, self._index.init.tracks[0])
        self._held = (number, samples)
        return samples


class _Writer:
    def __init__(self, index: FragmentIndex, boundaries: Sequence[int], target: BinaryIO) -> None:
        self._init_bytes = len(index.init_bytes)
        self._track: TrackInfo = index.init.tracks[0]
        self._target = target
        self._starts = [
            rescale(tick, from_hz=TICKS_PER_S, to_hz=self._track.timescale_hz)
            for tick in boundaries[1:]
        ]
        self._pending: list[Sample] = []
        self._pending_start = 0
        self._clock = 0  # In ticks of the track.
        self._count = 0
        self._segments: list[JoinedSegment] = []
        target.write(index.init_bytes)

    def add(self, sample: Sample) -> None:
        half = sample.duration_ticks // 2
        if self._pending and self._starts and self._clock + half >= self._starts[0]:
            self._flush()
        while self._starts and self._clock + half >= self._starts[0]:
            self._starts.pop(0)
        self._pending.append(sample)
        self._clock += sample.duration_ticks
        self._count += 1

    def _flush(self) -> None:
        run = TrackRun(self._track.track_id, self._pending_start, self._pending)
        offset = self._target.tell()
        self._target.write(build_fragment(len(self._segments) + 1, [run]))
        start, end = self._to_ticks(self._pending_start), self._to_ticks(self._clock)
        size = self._target.tell() - offset
        self._segments.append(JoinedSegment(offset, size, start, end - start))
        self._pending, self._pending_start = [], self._clock

    def _to_ticks(self, value: int) -> int:
        return rescale(value, from_hz=self._track.timescale_hz, to_hz=TICKS_PER_S)

    def finish(self, output: Path) -> JoinedFile:
        if self._pending:
            self._flush()
        if not self._segments:
            raise EncodeError("no sound is left", permanent=True)
        return JoinedFile(
            path=output,
            init_bytes=self._init_bytes,
            size_bytes=self._target.tell(),
            codec=self._track.codec,
            samples_count=self._count,
            duration_ticks=self._to_ticks(self._clock),
            segments=tuple(self._segments),
        )
