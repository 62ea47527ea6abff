"""Cuts in the sound do not click, and no sample moves; judged on decoded samples."""

from __future__ import annotations

import random
import subprocess
from array import array
from pathlib import Path

import pytest

from hall.demo.lecture import SPEECH
from tests.support.synthetic_recording import FFMPEG
from transcode.edit.sound import SoundPiece, count_frames_blocking, cut_sound_blocking

FRAME = 1024
PIECE = 20  # Frames on either side of a joint.
NEAR = 1100  # Samples: the windows of the two frames at a joint, and a little more.
MAX_RATIO = 4.0  # A sound's own bends vary about that much from moment to moment.
TONE = "sine=frequency=187:sample_rate=48000"  # No period of it fits into a frame.


def encode(source: str, folder: Path) -> Path:
    """Encode as a job does: fragments of 4 s, without the priming frame."""
    file = folder / "audio.m4s"
    subprocess.run(
        [
            FFMPEG, "-v", "error", "-y", "-f", "lavfi", "-t", "12", "-i", source,
            "-ac", "2", "-ar", "48000", "-c:a", "aac", "-b:a", "96k",
            "-bsf:a", "noise=drop=lt(pts\\,0)", "-f", "hls", "-hls_time", "4",
            "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4",
            "-hls_flags", "single_file", "-hls_segment_filename", str(file),
            str(folder / "audio.m3u8"),
        ],
        check=True, timeout=60,
    )  # fmt: skip
    return file


def decode(path: Path) -> array[float]:
    raw = subprocess.run(
        [FFMPEG, "-v", "error", "-i", str(path), "-ac", "1", "-f", "f32le", "-"],
        check=True, capture_output=True, timeout=60,
    ).stdout  # fmt: skip
    return array("f", raw)


def find_click(samples: array[float], middle: int, reach: int) -> float:
    """Sharpest bend of the curve around a place: what is heard as a click."""
    return max(
        abs(samples[n + 1] - 2 * samples[n] + samples[n - 1])
        for n in range(middle - reach, middle + reach)
    )


@pytest.mark.parametrize("source", [TONE, SPEECH], ids=["tone", "speech"])
def test_a_joint_is_as_smooth_as_the_sound_beside_it(source: str, tmp_path: Path) -> None:
    base_path = encode(source, tmp_path)
    frames_count, length, _ = count_frames_blocking(base_path)
    assert length == FRAME
    base = decode(base_path)
    chance = random.Random(11)
    pieces = [SoundPiece(chance.randrange(2, frames_count - PIECE - 3), PIECE) for _ in range(8)]
    made = decode(cut_sound_blocking(base_path, pieces, [0], tmp_path / "cut.mp4").path)
    assert len(made) == len(pieces) * PIECE * FRAME
    hard = array("f")
    for piece in pieces:
        hard += base[piece.first * FRAME : (piece.first + PIECE) * FRAME]
    own = max(find_click(base, place, NEAR) for place in range(4 * NEAR, len(base) - NEAR, NEAR))
    joints = [number * PIECE * FRAME for number in range(1, len(pieces))]
    assert max(find_click(made, joint, NEAR) for joint in joints) <= MAX_RATIO * own
    # The measure hears what putting samples side by side would do.
    assert max(find_click(hard, joint, 2) for joint in joints) > 2 * MAX_RATIO * own
    # Past the two windows at a joint, every sample is the base's, in its place.
    for number in range(len(pieces)):
        start = number * PIECE * FRAME
        inside = range(start + 2 * FRAME, start + (PIECE - 2) * FRAME)
        assert max(abs(made[n] - hard[n]) for n in inside) < 1e-5
