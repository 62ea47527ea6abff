"""Language tags and what people call them. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from kernel.errors import InputError
from vod.captions.models import MAX_LABEL_CHARS, MAX_LANGUAGE_CHARS

UNKNOWN: Final = "und"  # ISO 639-2: nobody said.
_TAG: Final = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")
_REGION_CHARS: Final = 2
_SCRIPT_CHARS: Final = 4
_NAMES: Final = {
    "zh": "中文",
    "zh-hans": "简体中文",
    "zh-cn": "简体中文",
    "zh-hant": "繁体中文",
    "zh-tw": "繁体中文",
    "zh-hk": "繁体中文(香港)",
    "yue": "粤语",
    "en": "English",
    "mn": "蒙古文",
    "bo": "藏文",
    "ug": "维吾尔文",
    "kk": "哈萨克文",
    "ko": "韩文/朝鲜文",
    "za": "壮文",
    "ja": "日文",
    "ru": "俄文",
    "fr": "法文",
    "de": "德文",
    "es": "西班牙文",
    UNKNOWN: "字幕",
}
# Containers still say it with three letters (ISO 639-2/B and /T); browsers want two.
_SHORT: Final = {
    "chi": "zh", "zho": "zh", "eng": "en", "mon": "mn", "tib": "bo", "bod": "bo", "uig": "ug",
    "kaz": "kk", "kor": "ko", "zha": "za", "jpn": "ja", "rus": "ru", "fre": "fr", "fra": "fr",
    "ger": "de", "deu": "de", "spa": "es",
}  # fmt: skip


def read_language(text: str) -> str:
    """Normalise an RFC 5646 tag: ``ZH-cn`` is ``zh-CN``, ``chi`` is ``zh``.

    Raises:
        InputError: 422; it is no language tag.
    """
    if len(text) > MAX_LANGUAGE_CHARS or _TAG.fullmatch(text) is None:
        raise InputError(
            "language: give a tag such as zh-CN",
            field="language",
            status=422,
            title_zh="语言代码不对,例如 zh-CN、en、mn",
        )
    first, *rest = text.split("-")
    first = first.lower()
    return "-".join([_SHORT.get(first, first), *map(_shape_subtag, rest)])


def _shape_subtag(subtag: str) -> str:
    # RFC 5646 §2.1.1: regions in capitals, scripts with one, everything else small.
    if len(subtag) == _REGION_CHARS:
        return subtag.upper()
    if len(subtag) == _SCRIPT_CHARS and subtag.isalpha():
        return subtag.title()
    return subtag.lower()


def name_language(language: str) -> str:
    """Name a language for a menu; the tag itself where we have no name."""
    tag = language.lower()
    return _NAMES.get(tag) or _NAMES.get(tag.split("-", 1)[0]) or language


def choose_label(wanted: str, language: str, taken: Collection[str]) -> str:
    """Choose a label that no other track of the lecture has.

    Spec: rfc8216bis §4.4.6.1.1: all EXT-X-MEDIA tags in a group MUST have different NAMEs.
    """
    # A quotation mark cannot be written into a playlist.
    base = " ".join(wanted.replace('"', "”").split())[: MAX_LABEL_CHARS - 4]
    base = base or name_language(language)
    if base not in taken:
        return base
    number = next(n for n in range(2, len(taken) + 3) if f"{base} {n}" not in taken)
    return f"{base} {number}"
