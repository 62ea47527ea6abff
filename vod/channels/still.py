"""Black pictures and silence of any length, for pauses and what an asset lacks. Pure.

No encoder runs: one black key picture and one silent AAC frame are repeated. The picture is
``ffmpeg -f lavfi -i color=black:s=320x180 -frames:v 1 -c:v libx264 -profile:v high`` without SEI.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from kernel.fmp4.fragment import Sample, TrackRun, build_fragment
from kernel.fmp4.init import AudioTrack, VideoTrack, build_init
from kernel.timing import TICKS_PER_S

_SPS: Final = bytes.fromhex("6764100bacb82833f3e0220000030002000003000408")
_PPS: Final = bytes.fromhex("68ee0f2c8b")
_IDR: Final = bytes.fromhex(
    "65888404bffef7addf814dc32b356bba5738b4cbab94343d51f694a678b6480064058bd44115486f1cf2a049c000"
    "02a0149b2c0426535e34b9"
)
_ASC: Final = bytes.fromhex("1190")  # AAC-LC, 48 kHz, two channels.
_SILENCE: Final = bytes.fromhex("211004608c1c")
_FRAME_TICKS: Final = 1920  # 1024 samples of 48 kHz.
_FRAME_SAMPLES: Final = 1024
MAX_TICKS: Final = 7 * TICKS_PER_S  # Longer segments are never asked for by our playlists.
MAX_START_TICKS: Final = 7 * 24 * 3600 * TICKS_PER_S


@lru_cache(maxsize=1)
def build_black_init() -> bytes:
    return build_init([VideoTrack(1, TICKS_PER_S, (_SPS,), (_PPS,), 320, 180)])


@lru_cache(maxsize=1)
def build_quiet_init() -> bytes:
    return build_init([AudioTrack(1, 48_000, _ASC, 48_000, 2)])


def build_black(start_ticks: int, duration_ticks: int) -> bytes:
    """Build a segment of pictures of at most one second each."""
    picture = len(_IDR).to_bytes(4, "big") + _IDR
    whole, rest = divmod(duration_ticks, TICKS_PER_S)
    durations = [TICKS_PER_S] * whole + ([rest] if rest else [])
    samples = [Sample(picture, ticks) for ticks in durations]
    return build_fragment(1, [TrackRun(1, start_ticks, samples)])


def build_quiet(start_ticks: int, duration_ticks: int) -> bytes:
    """Build a segment of the frames that begin in it; neighbours go on without a hole."""
    first = -(-start_ticks // _FRAME_TICKS)
    stop = max(first + 1, -(-(start_ticks + duration_ticks) // _FRAME_TICKS))
    samples = [Sample(_SILENCE, _FRAME_SAMPLES)] * (stop - first)
    return build_fragment(1, [TrackRun(1, first * _FRAME_SAMPLES, samples)])
