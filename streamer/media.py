"""The media that ingest hands over: encoded units on the publisher's clock. Pure.

All time stamps are ticks of 1/90000 s, unwrapped, on one clock for both tracks of a connection.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VideoConfig:
    """H.264 parameter sets of a run of pictures.

    Attributes:
        sps: One or more NAL units, without start code or length.
        pps: The same.
    """

    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class AudioConfig:
    """AAC of a run of frames.

    Attributes:
        asc: AudioSpecificConfig (ISO 14496-3), 2-64 bytes, as in ``esds``.
        sample_rate_hz: Of the core coder, 7350-96000.
        channels_count: 1-8.
    """

    asc: bytes
    sample_rate_hz: int
    channels_count: int


@dataclass(frozen=True, slots=True)
class VideoUnit:
    """One H.264 access unit in decode order.

    Attributes:
        pts: Presentation time, 1/90000 s.
        dts: Decode time, <= pts when B-frames reorder; equal otherwise.
        data: NAL units with 4-byte lengths (AVCC), slices and SEI only: no SPS, PPS or AUD.
        is_idr: Decoding can start here.
    """

    pts: int
    dts: int
    data: bytes
    is_idr: bool


@dataclass(frozen=True, slots=True)
class AudioUnit:
    """One raw AAC frame of 1024 samples, no ADTS header."""

    pts: int
    data: bytes


@dataclass(frozen=True, slots=True)
class OpusUnit:
    """One Opus packet as it arrived, for WHEP; HLS and the recording carry its AAC twin."""

    pts: int
    data: bytes
