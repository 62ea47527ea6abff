"""Any bytes -> cues or a sentence why not. Pure. The only door for subtitle files of strangers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, Literal

from kernel.captions.cues import MAX_CUES_COUNT, Cue, repair_cues
from kernel.captions.encodings import decode_text
from kernel.captions.lines import read_ass, read_srt, read_vtt
from kernel.errors import InputError

Format = Literal["srt", "vtt", "ass"]

HEAD_CHARS: Final = 4096  # Where a format shows itself.
_READERS: Final[dict[Format, Callable[[str], Iterator[Cue]]]] = {
    "srt": read_srt,
    "vtt": read_vtt,
    "ass": read_ass,
}
_ARROW: Final = re.compile(r"\d\s*-{1,2}>\s*-?\d")
_SCRIPT: Final = re.compile(
    r"^\s*\[(Script Info|V4\+? Styles|Events)\]", re.IGNORECASE | re.MULTILINE
)


def parse_captions(data: bytes, filename: str = "") -> tuple[Cue, ...]:
    """Read a subtitle file: SRT, WebVTT, ASS or SSA, in whatever encoding it is.

    Args:
        data: The whole file, at most 5 MB.
        filename: Only asked when the content does not say what it is.

    Returns:
        Cues in order that do not overlap; lines as the author broke them.

    Raises:
        InputError: With a sentence for the person who sent it; nothing else, whatever the bytes.
    """
    text = decode_text(data)
    kind = recognise(text, filename)
    if kind is None:
        raise InputError(
            "neither SRT nor WebVTT nor ASS",
            status=415,
            title_zh="这不是我们认识的字幕文件,请上传 srt、vtt 或 ass 格式",
        )
    # One more than allowed, so that the limit is noticed and nothing beyond it is kept.
    cues = repair_cues(islice(_READERS[kind](text), MAX_CUES_COUNT + 1))
    if not cues:
        raise InputError(
            f"a {kind} file without a cue",
            status=422,
            title_zh="字幕文件里没有一条字幕,请检查后再上传",
        )
    return cues


def recognise(text: str, filename: str = "") -> Format | None:
    """Tell the format by the content, which people rename less carefully than files."""
    head = text[:HEAD_CHARS].lstrip("\ufeff \t\r\n")
    if head.startswith("WEBVTT"):
        return "vtt"
    if _SCRIPT.search(head) or ("[events]" in text.casefold() and "Dialogue:" in text):
        return "ass"
    if _ARROW.search(text) is None:
        return None
    return "vtt" if filename.casefold().endswith(".vtt") else "srt"
