"""Encode a few seconds of a lecture at several qualities, to learn what they cost. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import ffmpeg

from transcode.commands.base import MediaInput, compile_command, with_progress
from transcode.commands.frames import build_chains
from transcode.specs import EncodeVideoSpec, Rung

GOP_FRAMES: Final = 2_400  # One key picture per window, as often as in the real thing or seldomer.


def encode_trial(
    program: Path, spec: EncodeVideoSpec, *, media: MediaInput, entry_ticks: int | None
) -> list[str]:
    """Build the command that encodes a window with each of ``spec.rungs`` to nowhere.

    x264 compares what it made with what it got (``ssim``) and sums up at the end: nothing has to
    be decoded again. All rungs have one size and one rate; they differ in CRF.
    """
    chains = build_chains(spec, media, entry_ticks)
    outputs = [
        ffmpeg.output(chains[rung.name], "-", **_options(rung, spec.preset)) for rung in spec.rungs
    ]
    return compile_command(program, with_progress(ffmpeg.merge_outputs(*outputs)), loglevel="info")


def _options(rung: Rung, preset: str) -> dict[str, Any]:
    return {
        "c:v": "libx264",
        "preset": preset,
        "profile:v": "high",
        "crf": rung.crf,  # Without the cap: what the picture wants is the question.
        "g": GOP_FRAMES,
        "keyint_min": GOP_FRAMES,
        "x264-params": "ssim=1",
        "fps_mode": "passthrough",
        "f": "null",
    }
