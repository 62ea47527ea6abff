"""Command line that takes text tracks out of a file. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ffmpeg

from transcode.commands.base import MediaInput, compile_command, open_media, with_progress


def extract_texts(
    program: Path, *, source: MediaInput, outputs: Sequence[tuple[int, Path]], limit_bytes: int
) -> list[str]:
    """Write every text track as SubRip, with the file's own time stamps.

    Args:
        outputs: Stream number -> file.
        limit_bytes: Of each file; what is longer ends there.
    """
    # copyts: captions belong to the pictures' time stamps, wherever these begin.
    media = open_media(source, copyts=None)
    results = [
        ffmpeg.output(
            media[str(index)],
            str(path),
            **{
                "c:s": "srt",
                "avoid_negative_ts": "disabled",
                "fs": limit_bytes,
                "map_metadata": -1,
                "f": "srt",
            },
        )
        for index, path in outputs
    ]
    return compile_command(program, with_progress(ffmpeg.merge_outputs(*results)))
