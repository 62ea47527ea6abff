"""What a share page or a feed says of one thing. Pure. No I/O, no clock."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import nh3

from vod.classes.states import ClassState

SITE_TITLE: Final = "云上讲堂"
SITE_SUMMARY: Final = "直播课与回看课，随时随地学习。"
LANGUAGE: Final = "zh-CN"
SUMMARY_CHARS: Final = 160  # What cards of messengers and search engines show.
FEED_CHARS: Final = 1_000
PAGE_CHARS: Final = 4_000
AUDIO_TYPE: Final = "audio/mp4"
Kind = Literal["lecture", "series", "live_class"]
PAGES: Final[dict[Kind, str]] = {
    "lecture": "lectures",
    "series": "series",
    "live_class": "classes",
}
# XML 1.0 §2.2: what is no Char must not be in a document, however escaped.
_NO_XML_CHAR: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BREAKS: Final = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class AudioFile:
    """The sound of a lecture as one file."""

    key: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Card:
    """A lecture, series or live class as strangers may know of it.

    Attributes:
        text: Plain text, paragraphs kept.
        cover_path: From the origin on; ``None`` unless whoever has the address may see it.
        is_open: Watching needs no account either.
        audio_key: Blob of its sound; ``None`` unless ``is_open``.
        starts_at: Of a live class.
    """

    kind: Kind
    id: str
    title: str
    text: str
    created_at: datetime
    teachers: tuple[str, ...] = ()
    cover_path: str | None = None
    duration_s: float = 0.0
    is_open: bool = True
    audio_key: str | None = None
    starts_at: datetime | None = None
    state: ClassState | None = None

    @property
    def share_path(self) -> str:
        """The short address that stays."""
        return f"/s/{self.id}"

    @property
    def player_path(self) -> str:
        """Where it is studied; over the sign-in page where that needs an account."""
        page = f"/{PAGES[self.kind]}/{self.id}"
        return page if self.is_open else f"/signin?next={page}"


def clean_text(text: str) -> str:
    """Drop the characters that XML cannot carry."""
    return _NO_XML_CHAR.sub("", text)


def read_text(description: str, introduction: str) -> str:
    """Turn what editors wrote into plain text: the description, else the introduction."""
    if description.strip():
        return clean_text(description.strip())
    # Paragraphs are lines here; everything else that is markup goes.
    lines = re.sub(r"(?i)</(?:p|h3|h4|li|blockquote)>|<br\s*/?>", "\n", introduction)
    return clean_text(html.unescape(nh3.clean(lines, tags=set()))).strip()


def shorten(text: str, limit_chars: int) -> str:
    """One line of at most ``limit_chars``."""
    line = _BREAKS.sub(" ", text).strip()
    return line if len(line) <= limit_chars else line[: limit_chars - 1].rstrip() + "…"


def format_duration(seconds: float) -> str:
    """Say a length in Chinese; ``""`` when there is none."""
    minutes = round(seconds / 60)
    if seconds <= 0:
        return ""
    if minutes < 1:
        return f"{max(1, round(seconds))} 秒"
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"{minutes} 分钟"
    return f"{hours} 小时 {rest} 分钟" if rest else f"{hours} 小时"
