"""What kind of pictures a lecture has, and which quality they need. Pure. No I/O.

Trial encodes of a few windows tell three things: how much of the picture stands still (macroblocks
that x264 skipped), how much detail it has (bits of key pictures), and how close to the source an
encode at a given CRF comes: VMAF where the ffmpeg has libvmaf, else x264's own SSIM, turned into
VMAF by curves that were measured once, see ``docs/decisions/0010-ladder.md``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

ContentKind = Literal["slides", "screencast", "talking_head", "film"]

KIND_WORDS: Final[dict[ContentKind, str]] = {
    "slides": "课件",
    "screencast": "录屏",
    "talking_head": "讲课人画面",
    "film": "影片",
}
TRIAL_CRFS: Final = (23, 29)
MAX_WINDOWS: Final = 8
WINDOW_S: Final = 1.0
SHARE_OF_LECTURE: Final = 0.02  # Of its length: two encodes of it cost about 3 % of the ladder.

TOP_VMAF: Final = 95.0  # Of the largest rung against the source,
LOWER_VMAF: Final = 90.0  # of the others at their own size.
# Grain reaches the top target for twice the bytes; at 24 it is about 93, as close to the source as
# the ladders of others are.
MIN_CRF: Final = 24
MAX_CRF: Final = 30  # Beyond it text begins to ring, whatever the average says.
# The curves tell how VMAF falls from one CRF to the next far better than where it stands: a slide
# that they put at 95 may measure 92. So no rung is planned to lose more than this against the CRF
# that general video sites use. A smaller picture loses half as much again for each step.
REFERENCE_CRF: Final = 23
MAX_LOSS_VMAF: Final = 0.75
MAX_LOWER_LOSS_VMAF: Final = 0.5

_STILL_SKIP: Final = 0.93
_SCREEN_SKIP: Final = 0.80
_FILM_SKIP: Final = 0.45
_DETAIL_BITS_PER_PX: Final = 0.45  # Key pictures of text and windows cost more than faces do.
# How the bit rate shrinks with the number of pixels: text stays text, grain goes.
_SIZE_EXPONENTS: Final[dict[ContentKind, float]] = {
    "slides": 0.45,
    "screencast": 0.6,
    "talking_head": 0.75,
    "film": 0.85,
}

_VMAF: Final = re.compile(r"VMAF score: (\d{1,3}(?:\.\d{1,12})?)")
_ENCODER: Final = re.compile(r"\[libx264 @ (0x[0-9a-f]{1,16})\] (?!using)")
_SSIM: Final = re.compile(r"SSIM Mean Y:([01]\.\d{1,8})")
_BITRATE: Final = re.compile(r"kb/s:(\d{1,7}(?:\.\d{1,4})?)")
_KEY: Final = re.compile(r"frame I:(\d{1,6})\s+Avg QP:\s*[\d.]{1,6}\s+size:\s*(\d{1,9})")
_SKIP: Final = re.compile(r"mb P .*skip:\s*(\d{1,3}(?:\.\d)?)%")
_B_SKIP: Final = re.compile(r"mb B .*skip:\s*(\d{1,3}(?:\.\d)?)%")


@dataclass(frozen=True, slots=True)
class Trial:
    """What one encoder said about one window.

    Attributes:
        ssim: Mean of the luma, in [0, 1].
        bps: Bits per second it took.
        key_bytes: Size of an average key picture.
        skipped: Share of macroblocks that were only repeated, in [0, 1].
        vmaf: As libvmaf measured it, in [0, 100]; ``None`` without one.
    """

    ssim: float
    bps: float
    key_bytes: float
    skipped: float
    vmaf: float | None = None


@dataclass(frozen=True, slots=True)
class ContentFacts:
    """What the windows say about the whole lecture.

    Attributes:
        trials: CRF -> mean over the windows.
        pixels_count: Of the size that was tried.
    """

    kind: ContentKind
    trials: dict[int, Trial]
    pixels_count: int


def plan_trial_windows(duration_s: float) -> tuple[tuple[float, float], ...]:
    """Return half-open windows in seconds, spread evenly, away from the very start and end."""
    if duration_s <= 0:
        return ()
    wanted_s = max(WINDOW_S, duration_s * SHARE_OF_LECTURE)
    count = max(1, min(MAX_WINDOWS, int(wanted_s / WINDOW_S)))
    length_s = min(WINDOW_S, duration_s)
    gap_s = (duration_s - count * length_s) / (count + 1)
    starts = (gap_s + number * (length_s + gap_s) for number in range(count))
    return tuple((start, start + length_s) for start in starts)


def parse_trials(stderr: str, crfs: Sequence[int]) -> dict[int, Trial]:
    """Read x264's sums, in the order in which the encoders were opened; total on any text.

    An encoder that did not sum up (too few frames, another build) is left out.
    """
    said: dict[str, list[str]] = {}
    for line in stderr.splitlines():
        found = _ENCODER.search(line)
        if found is not None:
            said.setdefault(found[1], []).append(line)
    trials: dict[int, Trial] = {}
    for crf, lines in zip(crfs, said.values(), strict=False):
        trial = _read_trial("\n".join(lines))
        if trial is not None:
            trials[crf] = trial
    return trials


def _read_trial(text: str) -> Trial | None:
    ssim, bitrate, key = _SSIM.search(text), _BITRATE.search(text), _KEY.search(text)
    if ssim is None or bitrate is None or key is None:
        return None
    skips = [float(found[1]) for found in (_SKIP.search(text), _B_SKIP.search(text)) if found]
    return Trial(
        ssim=min(1.0, float(ssim[1])),
        bps=float(bitrate[1]) * 1000,
        key_bytes=float(key[2]),
        skipped=min(1.0, max(skips, default=0.0) / 100),
    )


def parse_vmaf(stderr: str) -> float | None:
    """Read what libvmaf said last; total on any text."""
    found = _VMAF.findall(stderr)
    return min(100.0, float(found[-1])) if found else None


def conclude_content(
    windows: Sequence[dict[int, Trial]], *, pixels_count: int
) -> ContentFacts | None:
    """Average the windows that all CRFs were tried on; ``None`` when there are none."""
    whole = [window for window in windows if all(crf in window for crf in TRIAL_CRFS)]
    if not whole:
        return None
    trials = {crf: _average([window[crf] for window in whole]) for crf in TRIAL_CRFS}
    return ContentFacts(
        classify(trials[TRIAL_CRFS[0]], pixels_count=pixels_count), trials, pixels_count
    )


def _average(trials: Sequence[Trial]) -> Trial:
    count = len(trials)
    vmafs = [trial.vmaf for trial in trials if trial.vmaf is not None]
    return Trial(
        ssim=sum(trial.ssim for trial in trials) / count,
        bps=sum(trial.bps for trial in trials) / count,
        key_bytes=sum(trial.key_bytes for trial in trials) / count,
        skipped=sum(trial.skipped for trial in trials) / count,
        vmaf=sum(vmafs) / count if len(vmafs) == count else None,
    )


def classify(trial: Trial, *, pixels_count: int) -> ContentKind:
    """Name the content by stillness and detail of the first trial."""
    has_detail = trial.key_bytes * 8 / max(1, pixels_count) >= _DETAIL_BITS_PER_PX
    if trial.skipped >= _STILL_SKIP:
        return "slides"
    if trial.skipped >= _SCREEN_SKIP:
        return "screencast" if has_detail else "talking_head"
    return "talking_head" if trial.skipped >= _FILM_SKIP else "film"


# Measured with x264 "fast" on eight lectures of both kinds, 360p to 734p: VMAF at three CRFs.
# Pictures of a camera, with its grain, and pictures that a computer drew lie on two curves, which
# their SSIM at CRF 26 tells apart: at most 19.5 dB on the one, at least 24.7 dB on the other.
_CURVE_CRFS: Final = (22, 26, 30)
_CAMERA: Final = (94.4, 91.6, 87.0)
_DRAWN: Final = (96.8, 96.0, 94.6)
_CAMERA_DB: Final = 19.5
_DRAWN_DB: Final = 24.7


def predict_vmaf(content: ContentFacts, crf: float) -> float:
    """Predict the VMAF of an encode at its own size: on the measured line, else by the curves."""
    low, high = TRIAL_CRFS
    first, second = (content.trials[each].vmaf for each in TRIAL_CRFS)
    if first is not None and second is not None:
        slope = min(0.0, (second - first) / (high - low))
        return min(100.0, first + slope * (crf - low))
    share = (_ssim_db(content) - _CAMERA_DB) / (_DRAWN_DB - _CAMERA_DB)
    share = min(1.0, max(0.0, share))
    return (1 - share) * _read_curve(_CAMERA, crf) + share * _read_curve(_DRAWN, crf)


def choose_top_crf(content: ContentFacts) -> int:
    """Choose for the largest rung: the target alone where VMAF was measured on it."""
    is_measured = all(trial.vmaf is not None for trial in content.trials.values())
    max_loss = math.inf if is_measured else MAX_LOSS_VMAF
    return choose_crf(content, target_vmaf=TOP_VMAF, max_loss=max_loss)


def choose_lower_crf(content: ContentFacts) -> int:
    """Choose for the others; nothing was tried at their size."""
    return choose_crf(content, target_vmaf=LOWER_VMAF, max_loss=MAX_LOWER_LOSS_VMAF)


def choose_crf(content: ContentFacts, *, target_vmaf: float, max_loss: float = math.inf) -> int:
    """Return the largest CRF that is good enough, within ``MIN_CRF`` and ``MAX_CRF``.

    Args:
        target_vmaf: It reaches so much,
        max_loss: and is so much below ``REFERENCE_CRF`` at most; both in points of VMAF.
    """
    reference = predict_vmaf(content, REFERENCE_CRF)
    for crf in range(MAX_CRF, MIN_CRF, -1):
        vmaf = predict_vmaf(content, crf)
        if vmaf >= target_vmaf and reference - vmaf <= max_loss:
            return crf
    return MIN_CRF


def estimate_bps(content: ContentFacts, *, crf: int, pixels_count: int) -> int:
    """Estimate what a rung will take: the trials' line in log space, then its size."""
    low, high = TRIAL_CRFS
    first, second = (max(1.0, content.trials[each].bps) for each in TRIAL_CRFS)
    per_step = (second / first) ** (1 / (high - low))
    share = pixels_count / content.pixels_count
    return int(first * per_step ** (crf - low) * share ** _SIZE_EXPONENTS[content.kind])


def _ssim_db(content: ContentFacts) -> float:
    """SSIM in decibels at CRF 26, half-way between the trials."""
    decibels = [-10 * math.log10(max(1e-9, 1 - trial.ssim)) for trial in content.trials.values()]
    return sum(decibels) / len(decibels)


def _read_curve(values: tuple[float, float, float], crf: float) -> float:
    """Interpolate; beyond the ends the nearest two points go on."""
    first = 0 if crf < _CURVE_CRFS[1] else 1
    low, high = _CURVE_CRFS[first], _CURVE_CRFS[first + 1]
    share = (crf - low) / (high - low)
    return values[first] + share * (values[first + 1] - values[first])
