"""Command lines of ffmpeg and ffprobe, built with ffmpeg-python. Pure.

Inputs are always local files with a forced format and the ``file`` protocol only, so that no input
can name another address. Decoding never stops at damaged pictures: a lecture recorded over a bad
link still becomes a replay.
"""

from transcode.commands.checking import CheckedFile, verify_files
from transcode.commands.clips import encode_clip
from transcode.commands.copying import copy_track, list_track
from transcode.commands.pictures import (
    POSTER_WIDTH_PX,
    SHEET_PATTERN,
    STORYBOARD_COLUMNS,
    STORYBOARD_TILE_PX,
    Storyboard,
    grab_posters,
    plan_storyboard,
    survey_keyframes,
)
from transcode.commands.probing import (
    decode_strictly,
    lay_out_anew,
    list_h264_units,
    list_packets,
    probe,
    probe_upload,
    sample_window,
    show_frames,
    version,
)
from transcode.commands.sound import (
    AUDIO_RATE_HZ,
    LIMITER_PEAK,
    decode_span,
    decode_speech,
    encode_audio,
    make_download,
)
from transcode.commands.texts import extract_texts
from transcode.commands.video import encode_video, find_entry

__all__ = [
    "AUDIO_RATE_HZ",
    "LIMITER_PEAK",
    "POSTER_WIDTH_PX",
    "SHEET_PATTERN",
    "STORYBOARD_COLUMNS",
    "STORYBOARD_TILE_PX",
    "CheckedFile",
    "Storyboard",
    "copy_track",
    "decode_span",
    "decode_speech",
    "decode_strictly",
    "encode_audio",
    "encode_clip",
    "encode_video",
    "extract_texts",
    "find_entry",
    "grab_posters",
    "lay_out_anew",
    "list_h264_units",
    "list_packets",
    "list_track",
    "make_download",
    "plan_storyboard",
    "probe",
    "probe_upload",
    "sample_window",
    "show_frames",
    "survey_keyframes",
    "verify_files",
    "version",
]
