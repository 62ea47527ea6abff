"""Choose representative pictures and slide changes from the figures of the keyframes. Pure.

A good poster is neither black nor blank, has detail, is sharp, and stood for a while: the keyframe
after it still looks like it, so it is no transition.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

POSTERS_COUNT: Final = 8
MIN_LUMA: Final = 24.0  # Below is black with noise (16 is black).
MIN_RANGE: Final = 48.0  # Between the darkest and the brightest pixel: less is a blank wall.
MIN_ENTROPY: Final = 0.01  # A white slide with one line of text has 0.03, a blank one 0.0003.
MARGIN: Final = 0.02  # Of the lecture at either end: greetings, curtain.
MIN_MARGIN_FOR_S: Final = 60.0
SURE_SCORE: Final = 20.0  # Mean change of a pixel, of 100: from here on it is another picture.
# A slide change stands out from what else moves: a pen on a slide, or a lecturer's gestures.
OUTSTANDING: Final = 8.0  # Times the usual change between keyframes.
LEAST_CHANGE: Final = 0.5  # White slides with a few words differ by no more than that.
MOST_CHANGE: Final = 8.0  # Above this it is a change whatever else moves.
MIN_SLIDE_S: Final = 8.0  # Quick flicking through is one change.
MAX_SLIDES: Final = 500

_FRAME: Final = re.compile(r"frame:\d+\s+pts:\S+\s+pts_time:(-?[0-9.]+)")
_KEYS: Final = {
    "lavfi.signalstats.YAVG": "luma",
    "lavfi.signalstats.YLOW": "low",
    "lavfi.signalstats.YHIGH": "high",
    "lavfi.signalstats.YMIN": "min",
    "lavfi.signalstats.YMAX": "max",
    "lavfi.blur": "blur",
    "lavfi.entropy.normalized_entropy.normal.Y": "entropy",
    "lavfi.scd.mafd": "change",
}


@dataclass(frozen=True, slots=True)
class KeyPicture:
    """Figures of one keyframe.

    Attributes:
        luma: Average brightness, 16 to 235.
        spread: Between the darkest and the brightest tenth.
        reach: Between the darkest and the brightest pixel.
        blur: Width of edges; larger is softer.
        entropy: Of the luma histogram, 0 to 1.
        change: How much it differs from the keyframe before, 0 to 100.
    """

    at_s: float
    luma: float
    spread: float
    reach: float
    blur: float
    entropy: float
    change: float

    @property
    def is_shown(self) -> bool:
        """Neither black nor blank."""
        return self.luma >= MIN_LUMA and self.reach >= MIN_RANGE and self.entropy >= MIN_ENTROPY


@dataclass(frozen=True, slots=True)
class SlideChange:
    """Where another slide begins; ``confidence`` from 0 to 1."""

    at_s: float
    confidence: float


def parse_stats(text: str) -> list[KeyPicture]:
    """Read what ``metadata=print`` wrote; what is missing counts as nothing. Total."""
    found: list[KeyPicture] = []
    at_s: float | None = None
    values: dict[str, float] = {}
    for line in (*text.splitlines(), "frame:0 pts:0 pts_time:0"):
        if (match := _FRAME.match(line)) is not None:
            if at_s is not None:
                found.append(_build(at_s, values))
            at_s, values = _to_float(match.group(1)), {}
            continue
        key, _, value = line.partition("=")
        if key in _KEYS:
            values[_KEYS[key]] = _to_float(value)
    return found


def _to_float(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if abs(value) < 1e9 else 0.0  # noqa: PLR2004 - also turns inf and nan into 0


def _build(at_s: float, values: dict[str, float]) -> KeyPicture:
    return KeyPicture(
        at_s=max(0.0, at_s),
        luma=values.get("luma", 0.0),
        spread=values.get("high", 0.0) - values.get("low", 0.0),
        reach=values.get("max", 0.0) - values.get("min", 0.0),
        blur=values.get("blur", 0.0),
        entropy=values.get("entropy", 0.0),
        change=values.get("change", 0.0),
    )


def rate_picture(picture: KeyPicture, following: KeyPicture | None) -> float:
    """Say how well a picture stands for its lecture; higher is better."""
    sharpness = 1.0 / (1.0 + max(0.0, picture.blur) / 8.0)
    contrast = min(1.0, picture.spread / 128.0)
    after = following.change if following is not None else picture.change
    steadiness = 1.0 - min(1.0, after / SURE_SCORE)
    rating = picture.entropy + 0.5 * contrast + 0.5 * sharpness + 0.5 * steadiness
    return rating if picture.is_shown else rating - 10.0


def choose_posters(
    pictures: Sequence[KeyPicture], *, duration_s: float, count: int = POSTERS_COUNT
) -> tuple[KeyPicture, ...]:
    """Choose the best picture of each of ``count`` equal stretches, the best of all first.

    Black and blank ones are taken only when there is nothing else.
    """
    margin_s = MARGIN * duration_s if duration_s >= MIN_MARGIN_FOR_S else 0.0
    best: dict[int, tuple[float, KeyPicture]] = {}
    for number, picture in enumerate(pictures):
        following = pictures[number + 1] if number + 1 < len(pictures) else None
        rating = rate_picture(picture, following)
        if not margin_s <= picture.at_s <= duration_s - margin_s:
            rating -= 5.0
        place = min(count - 1, int(picture.at_s / duration_s * count)) if duration_s > 0 else 0
        if place not in best or rating > best[place][0]:
            best[place] = (rating, picture)
    ranked = sorted(best.values(), key=lambda item: (-item[0], item[1].at_s))
    good = [picture for rating, picture in ranked if rating > 0]
    return tuple(good or [picture for _, picture in ranked[:1]])


def find_slides(pictures: Sequence[KeyPicture]) -> tuple[SlideChange, ...]:
    """Find where slides change, in order; of quick changes the last one counts.

    A new slide stays: where the next keyframe differs as much again, something moves (a film).
    """
    changes = sorted(picture.change for picture in pictures[1:])
    if not changes:
        return ()
    usual = changes[len(changes) // 2]
    least = min(MOST_CHANGE, max(LEAST_CHANGE, OUTSTANDING * usual))
    found: list[SlideChange] = []
    for number, picture in enumerate(pictures[1:], start=1):
        following = pictures[number + 1].change if number + 1 < len(pictures) else 0.0
        if picture.change < least or following >= least or not picture.is_shown:
            continue
        confidence = min(1.0, picture.change / least / 2)
        change = SlideChange(round(picture.at_s, 3), round(confidence, 3))
        if found and change.at_s - found[-1].at_s < MIN_SLIDE_S:
            found[-1] = change
        else:
            found.append(change)
    if len(found) > MAX_SLIDES:
        sure = sorted(found, key=lambda item: -item.confidence)[:MAX_SLIDES]
        found = sorted(sure, key=lambda item: item.at_s)
    return tuple(found)


def render_slides(slides: Sequence[SlideChange]) -> dict[str, Any]:
    """Build the JSON document of the slide changes."""
    return {"slides": [{"start_s": item.at_s, "confidence": item.confidence} for item in slides]}


def name_poster(at_s: float) -> str:
    """File name of a candidate: its time says which picture it is, in every set of a lecture."""
    return f"poster-{round(at_s * 1000)}.jpg"


def read_poster_time(name: str) -> float | None:
    """Time of a candidate from its name (seconds)."""
    match = re.fullmatch(r"poster-(\d{1,12})\.jpg", name)
    return int(match.group(1)) / 1000 if match else None
