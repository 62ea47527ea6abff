"""Captions: reading subtitle files, breaking them for the screen, writing WebVTT. Pure."""

from kernel.captions.breaks import measure_width
from kernel.captions.cues import (
    MAX_CUE_CHARS,
    MAX_CUES_COUNT,
    MAX_TIME_MS,
    Cue,
    check_cues,
    clean_text,
    repair_cues,
)
from kernel.captions.encodings import MAX_FILE_BYTES, decode_text
from kernel.captions.lines import read_ass_text, strip_tags
from kernel.captions.mapping import cut_cues, cut_moment, uncut_moment
from kernel.captions.parse import parse_captions, recognise
from kernel.captions.webvtt import render_chapters, render_subtitle_playlist, render_webvtt
from kernel.captions.width import split_cue, split_for_width

__all__ = [
    "MAX_CUES_COUNT",
    "MAX_CUE_CHARS",
    "MAX_FILE_BYTES",
    "MAX_TIME_MS",
    "Cue",
    "check_cues",
    "clean_text",
    "cut_cues",
    "cut_moment",
    "decode_text",
    "measure_width",
    "parse_captions",
    "read_ass_text",
    "recognise",
    "render_chapters",
    "render_subtitle_playlist",
    "render_webvtt",
    "repair_cues",
    "split_cue",
    "split_for_width",
    "strip_tags",
    "uncut_moment",
]
