"""Fragmented MP4 (CMAF): init segments and fragments, built and read. Pure. No I/O."""

from kernel.fmp4.fragment import Sample, TrackRun, build_fragment
from kernel.fmp4.init import AudioTrack, Track, VideoTrack, build_init

__all__ = [
    "AudioTrack",
    "Sample",
    "Track",
    "TrackRun",
    "VideoTrack",
    "build_fragment",
    "build_init",
]
