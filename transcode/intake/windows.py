"""What decoding a few seconds of a file showed: does it decode, is it interlaced. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from transcode.intake.streams import read_ratio
from transcode.specs import FieldOrder

BUDGET_PIXELS: Final = 250_000_000  # About a second of decoding per upload.
WINDOW_S: Final = 3.0
MIN_WINDOW_S: Final = 0.5
WINDOWS_COUNT: Final = 3
WHOLE_SLACK_S: Final = 2.0  # So much more than the whole file, where its length is uncertain.
MIN_FIELD_FRAMES: Final = 12  # Fewer moving frames do not tell how fields lie.
INTERLACED_SHARE: Final = 0.6
# Heights (with what coding pads them to) that are ever interlaced.
INTERLACED_HEIGHTS: Final = frozenset({480, 486, 576, 608, 1080, 1088})
_IDET: Final = re.compile(
    r"Multi frame detection: TFF:\s*(\d{1,9}) BFF:\s*(\d{1,9}) Progressive:\s*(\d{1,9})"
)
_DAMAGE_SIGNS: Final = (
    "error while decoding",
    "concealing",
    "Error submitting packet to decoder",
    "corrupt",
    "Invalid NAL unit",
    "partial file",
)
_UNSUPPORTED_SIGNS: Final = ("hardware accelerated", "no decoder found", "Decoder not found")
_LINE: Final = re.compile(r"(\d{1,2}),\s*(-?\d{1,18}),\s*(-?\d{1,18}),\s*(\d{1,18}),")
_BASE: Final = re.compile(r"#tb (\d{1,2}): (\d{1,9}/\d{1,9})")
_MEDIA: Final = re.compile(r"#media_type (\d{1,2}): (\w+)")


@dataclass(frozen=True, slots=True)
class Window:
    """Frames that were decoded.

    Attributes:
        video_s: Time stamps of the pictures in seconds of the file, ascending.
        audio_s: The same of sound frames.
        fields: Pictures that look (top first, bottom first, progressive).
        is_damaged: A decoder complained.
        is_unsupported: There is no decoder for the pictures in this ffmpeg.
    """

    video_s: tuple[Fraction, ...] = ()
    audio_s: tuple[Fraction, ...] = ()
    fields: tuple[int, int, int] = (0, 0, 0)
    is_damaged: bool = False
    is_unsupported: bool = False


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """Where to look, in seconds from the file's start, and whether that is all of it."""

    starts_s: tuple[float, ...]
    length_s: float
    is_whole: bool


def plan_windows(
    *, duration_s: float, pixels: int, rate: float, keyframes_s: Sequence[float] = ()
) -> WindowPlan:
    """Spread the budget over start, middle and end; small files are decoded whole.

    Args:
        keyframes_s: Ascending, from the file's start; a window begins at one, since decoding
            begins there in any case. A file with a single one is only looked at there.
    """
    per_s = max(1.0, pixels * max(1.0, rate))
    if duration_s * per_s <= BUDGET_PIXELS or duration_s <= MIN_WINDOW_S * WINDOWS_COUNT:
        return WindowPlan((0.0,), duration_s + WHOLE_SLACK_S, is_whole=True)
    length = min(WINDOW_S, max(MIN_WINDOW_S, BUDGET_PIXELS / WINDOWS_COUNT / per_s))
    wanted = (duration_s / 2 - length / 2, duration_s - length)
    starts = [0.0]
    for place in wanted:
        at = bisect_right(keyframes_s, place) if keyframes_s else 0
        start = keyframes_s[at - 1] if at else place
        if start >= starts[-1] + length:
            starts.append(start)
    return WindowPlan(tuple(starts), length, is_whole=False)


def parse_window(stdout: bytes, stderr: str) -> Window:
    """Read ``-f framecrc`` and the last words of ``idet``."""
    text = stdout.decode("ascii", "replace")
    bases = {number: read_ratio(ratio) for number, ratio in _BASE.findall(text)}
    kinds = dict(_MEDIA.findall(text))
    times: dict[str, list[Fraction]] = {"video": [], "audio": []}
    for line in text.splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        kind, base = kinds.get(found[1], ""), bases.get(found[1])
        if kind in times and base is not None:
            times[kind].append(int(found[3]) * base)
    last = _IDET.findall(stderr)
    fields = tuple(int(word) for word in last[-1]) if last else (0, 0, 0)
    return Window(
        video_s=tuple(sorted(times["video"])),
        audio_s=tuple(sorted(times["audio"])),
        fields=(fields[0], fields[1], fields[2]),
        is_damaged=any(sign in stderr for sign in _DAMAGE_SIGNS),
        is_unsupported=is_unsupported(stderr),
    )


def is_unsupported(text: str) -> bool:
    """Tell whether an ffmpeg says that it has no decoder (AV1 needs one from outside)."""
    return any(sign in text for sign in _UNSUPPORTED_SIGNS)


def choose_field_order(header: str, height_px: int, windows: Iterable[Window]) -> FieldOrder:
    """Believe a header that says interlaced; ask the pictures where sizes make it likely.

    Args:
        header: ffprobe's ``field_order``: tt, tb (coded top first, shown bottom first) ...
    """
    if header in {"tt", "bt"}:
        return "tff"
    if header in {"bb", "tb"}:
        return "bff"
    if height_px not in INTERLACED_HEIGHTS:
        return "progressive"
    totals = [sum(column) for column in zip(*(w.fields for w in windows), strict=True)]
    if not totals:
        return "progressive"
    top, bottom, progressive = totals
    seen = top + bottom + progressive
    if top + bottom < max(MIN_FIELD_FRAMES, seen * INTERLACED_SHARE):
        return "progressive"
    return "tff" if top >= bottom else "bff"


def comes_in_fields(packets_s: Sequence[Fraction], windows: Iterable[Window]) -> bool:
    """Tell whether decoders make one picture of every two packets."""
    shown = packets = 0
    for window in windows:
        if len(window.video_s) < MIN_FIELD_FRAMES:
            continue
        first, last = window.video_s[0], window.video_s[-1]
        shown += len(window.video_s)
        packets += sum(1 for time in packets_s if first <= time <= last) + 1
    return shown > 0 and packets > shown * 1.8
