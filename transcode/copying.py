"""Judge whether a picture track can be published as it is, from its packets. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from kernel.errors import EncodeError
from kernel.timing import TICKS_PER_S
from transcode.specs import Grid, first_frame, frame_ticks

MAX_DELAY_FRAMES: Final = 16  # H.264 allows no more pictures to be held back.
_KEY_FLAG: Final = 1


@dataclass(frozen=True, slots=True)
class CopiedTrack:
    """A track in frames of the lecture.

    Attributes:
        delay_frames: How many frames decoding runs before showing.
        keyframes: Numbers of the frames that are keyframes.
    """

    frames_count: int
    delay_frames: int
    keyframes: tuple[int, ...]


def read_track(lines: Iterable[str], *, offset_ticks: int, frame_rate: Fraction) -> CopiedTrack:
    """Read ffmpeg's ``framecrc`` list of a whole track.

    Raises:
        EncodeError: Permanent: frames are missing or doubled, time stamps are not, or a picture
            is shown before the keyframe that it follows (an open GOP).
    """
    clock = Fraction(0)
    frames: list[int] = []
    keyframes: list[int] = []
    for line in lines:
        if line.startswith("#tb 0:"):
            clock = _read_clock(line)
        elif not line.startswith("#") and line.strip():
            frame, is_key = _read_packet(line, clock, offset_ticks, frame_rate)
            if is_key:
                keyframes.append(frame)
            elif not keyframes or frame < keyframes[-1]:
                raise _refuse(f"frame {frame} is shown before its keyframe")
            frames.append(frame)
    if sorted(frames) != list(range(len(frames))):
        raise _refuse(f"{len(frames)} packets are not the frames 0 to {len(frames) - 1}")
    if not frames or keyframes != sorted(keyframes):
        raise _refuse("keyframes are not in order")
    delay = max(number - frame for number, frame in enumerate(frames))
    if delay > MAX_DELAY_FRAMES:
        raise _refuse(f"pictures are held back for {delay} frames")
    return CopiedTrack(len(frames), delay, tuple(keyframes))


def check_track(track: CopiedTrack, grid: Grid, *, frame_rate: Fraction, frames_count: int) -> None:
    """Check a track against its plan.

    Raises:
        EncodeError: Permanent: it has another number of frames, or no keyframe at a boundary.
    """
    if track.frames_count != frames_count:
        raise _refuse(f"{track.frames_count} frames, planned {frames_count}")
    keyframes = set(track.keyframes)
    for tick in grid.boundaries_in(0, frame_ticks(frames_count, frame_rate=frame_rate)):
        frame = first_frame(tick, frame_rate=frame_rate)
        if frame not in keyframes:
            raise _refuse(f"frame {frame} begins a segment and is no keyframe")


def _read_clock(line: str) -> Fraction:
    try:
        return Fraction(line.removeprefix("#tb 0:").strip()) * TICKS_PER_S
    except (ValueError, ZeroDivisionError) as error:
        raise _refuse(f"no time base in {line.strip()!r}") from error


def _read_packet(
    line: str, clock: Fraction, offset_ticks: int, frame_rate: Fraction
) -> tuple[int, bool]:
    """Frame number of a packet, and whether it is a keyframe."""
    fields = line.split(",")
    try:
        place = (int(fields[2]) * clock - offset_ticks) * frame_rate / TICKS_PER_S
        flags = [field.split("=")[1] for field in fields[5:] if field.strip().startswith("F=")]
        is_key = not flags or bool(int(flags[0], 16) & _KEY_FLAG)
    except (ValueError, IndexError) as error:
        raise _refuse(f"no time stamp in {line.strip()!r}") from error
    return (2 * place.numerator + place.denominator) // (2 * place.denominator), is_key


def _refuse(detail: str) -> EncodeError:
    return EncodeError(
        f"the track cannot be copied: {detail}", permanent=True, title_zh="原画面无法直接使用"
    )
