"""Names as they are looked for: pinyin and initials. Pure.

``pinyin`` is ``zhang san feng``: syllables apart, so that sorting by it goes sign by sign, as in
a dictionary (范围 before 方). ``joined`` is what people type, ``initials`` is ``zsf``.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pypinyin import Style, lazy_pinyin

PINYIN_CHARS: Final = 256  # 64 signs of at most 6 letters do not all fit; the rest does not sort.
INITIALS_CHARS: Final = 64
SURNAMES_CACHED: Final = 4096  # Chinese names repeat their signs: 120 000 names hold ~2 000.
# As a surname these are read otherwise than in most words.
SURNAMES: Final = {
    "单": "shan", "曾": "zeng", "仇": "qiu", "解": "xie", "查": "zha", "朴": "piao", "盖": "ge",
    "区": "ou", "任": "ren", "华": "hua", "燕": "yan", "葛": "ge", "覃": "qin", "翟": "zhai",
    "尉": "wei", "乐": "yue", "员": "yun", "秘": "bi", "种": "chong", "召": "shao", "缪": "miao",
    "冼": "xian", "繁": "po", "宓": "mi", "折": "she", "逄": "pang", "佴": "nai", "重": "chong",
}  # fmt: skip
_WORD: Final = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class NameKeys:
    """What a name is sorted and found by."""

    pinyin: str
    joined: str
    initials: str


def build_name_keys(name: str) -> NameKeys:
    """Build the keys of a name; signs that have no reading are left out."""
    text = unicodedata.normalize("NFKC", name).strip().lower()
    syllables: list[str] = []
    for index, sign in enumerate(text):
        if sign.isascii():
            _extend_word(syllables, sign, is_new=index == 0 or not text[index - 1].isalnum()
                         or not text[index - 1].isascii())  # fmt: skip
        elif index == 0 and sign in SURNAMES and len(text) > 1:
            syllables.append(SURNAMES[sign])
        elif reading := read_sign(sign):
            syllables.append(reading)
    return NameKeys(
        pinyin=" ".join(syllables)[:PINYIN_CHARS],
        joined="".join(syllables)[:PINYIN_CHARS],
        initials="".join(syllable[0] for syllable in syllables)[:INITIALS_CHARS],
    )


def _extend_word(syllables: list[str], sign: str, *, is_new: bool) -> None:
    """Latin letters and digits that stand together are one syllable."""
    if not _WORD.fullmatch(sign):
        return
    if is_new or not syllables:
        syllables.append(sign)
    else:
        syllables[-1] += sign


@lru_cache(SURNAMES_CACHED)
def read_sign(sign: str) -> str:
    """Read one Chinese sign, in letters a-z (吕 is ``lv``); empty when it has no reading."""
    readings = lazy_pinyin(sign, style=Style.NORMAL, errors="ignore")
    found = _WORD.fullmatch(readings[0]) if readings else None
    return found.group() if found else ""
