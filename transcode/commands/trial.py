"""Encode a few seconds of a lecture at several qualities, to learn what they cost. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import ffmpeg

from transcode.commands.base import MediaInput, compile_command, open_input, with_progress
from transcode.commands.frames import build_chains
from transcode.specs import EncodeVideoSpec, Rung

GOP_FRAMES: Final = 2_400  # One key picture per window, as often as in the real thing or seldomer.
REFERENCE: Final = "reference"  # Rung that is kept without loss, for comparing.


def encode_trial(
    program: Path,
    spec: EncodeVideoSpec,
    *,
    media: MediaInput,
    entry_ticks: int | None,
    folder: Path | None = None,
) -> list[str]:
    """Build the command that encodes a window with each of ``spec.rungs``.

    x264 compares what it made with what it got (``ssim``) and sums up at the end: nothing has to
    be decoded again. All rungs have one size and one rate; they differ in CRF.

    Args:
        folder: Keeps the results there (``trial_path``) to be compared; ``None`` keeps nothing.
    """
    chains = build_chains(spec, media, entry_ticks)
    outputs = [
        ffmpeg.output(
            chains[rung.name],
            "-" if folder is None else str(trial_path(folder, rung.name)),
            **_options(rung, spec.preset),
            f="null" if folder is None else "matroska",
        )
        for rung in spec.rungs
    ]
    return compile_command(program, with_progress(ffmpeg.merge_outputs(*outputs)), loglevel="info")


def compare_trial(program: Path, made: Path, reference: Path) -> list[str]:
    """Build the command that says the VMAF of ``made``, frame by frame against ``reference``."""
    pictures = ffmpeg.filter(
        [open_input(path, demuxer="matroska").video for path in (made, reference)],
        "libvmaf",
        n_threads=2,  # Of our own share of the machine; the windows are short.
    )
    result = ffmpeg.output(pictures, "-", f="null")
    return compile_command(program, with_progress(result), loglevel="info")


def trial_path(folder: Path, name: str) -> Path:
    """Where a kept trial lies."""
    return folder / f"{name}.mkv"


def _options(rung: Rung, preset: str) -> dict[str, Any]:
    if rung.name == REFERENCE:
        return {"c:v": "ffv1", "fps_mode": "passthrough"}
    return {
        "c:v": "libx264",
        "preset": preset,
        "profile:v": "high",
        "crf": rung.crf,  # Without the cap: what the picture wants is the question.
        "g": GOP_FRAMES,
        "keyint_min": GOP_FRAMES,
        "x264-params": "ssim=1",
        "fps_mode": "passthrough",
    }
