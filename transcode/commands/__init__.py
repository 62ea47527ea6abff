"""Command lines of ffmpeg and ffprobe, built with ffmpeg-python. Pure.

Inputs are always local files with a forced format and the ``file`` protocol only, so that no input
can name another address. Decoding never stops at damaged pictures: a lecture recorded over a bad
link still becomes a replay.
"""

from transcode.commands.checking import verify_files
from transcode.commands.pictures import (
    POSTER_WIDTH_PX,
    POSTER_WINDOW_S,
    STORYBOARD_COLUMNS,
    STORYBOARD_TILE_PX,
    Picture,
    make_poster,
    make_storyboard,
    plan_storyboard,
)
from transcode.commands.probing import (
    list_packets,
    probe,
    probe_upload,
    sample_window,
    show_frames,
    version,
)
from transcode.commands.sound import AUDIO_RATE_HZ, LIMITER_PEAK, decode_span, encode_audio
from transcode.commands.video import encode_video

__all__ = [
    "AUDIO_RATE_HZ",
    "LIMITER_PEAK",
    "POSTER_WIDTH_PX",
    "POSTER_WINDOW_S",
    "STORYBOARD_COLUMNS",
    "STORYBOARD_TILE_PX",
    "Picture",
    "decode_span",
    "encode_audio",
    "encode_video",
    "list_packets",
    "make_poster",
    "make_storyboard",
    "plan_storyboard",
    "probe",
    "probe_upload",
    "sample_window",
    "show_frames",
    "verify_files",
    "version",
]
