"""Decode files and count their frames: run as a process of its own, it can be limited and killed.

``python -I child.py OUTPUT FILE...``

``OUTPUT`` gets a JSON list with a count per file. Any error of the decoder ends it. Progress is
printed as ffmpeg prints it. It imports nothing of ours.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

PROGRESS_FRAMES = 100


def count_frames(path: str) -> int:
    """Decode the only track of a file to its end."""
    import av

    count = 0
    with av.open(path, format="mp4", options={"protocol_whitelist": "file"}) as container:
        stream = container.streams.video[0]
        stream.codec_context.options = {"strict_std_compliance": "1"}
        for frame in container.decode(stream):
            if frame.is_corrupt:
                raise ValueError(f"frame {count} is damaged")
            count += 1
            if count % PROGRESS_FRAMES == 0:
                out_time_us = int(1_000_000 * (frame.time or 0))
                sys.stdout.write(f"out_time_us={out_time_us}\nprogress=continue\n")
                sys.stdout.flush()
    return count


def main(arguments: list[str]) -> int:
    """Count every file."""
    output, *files = arguments
    counts = [count_frames(path) for path in files]
    Path(output).write_text(json.dumps(counts), "ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
