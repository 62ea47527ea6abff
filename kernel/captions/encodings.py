"""Bytes of a subtitle file -> text: UTF-8, UTF-16, UTF-32, GB18030 and what else occurs. Pure."""

from __future__ import annotations

import codecs
from typing import Final

from charset_normalizer import from_bytes

from kernel.errors import InputError

MAX_FILE_BYTES: Final = 5 * 1024 * 1024  # ASS files bring their fonts along; text is < 1 MB.
SAMPLE_BYTES: Final = 64 * 1024  # Enough text to judge an encoding by.
OTHER_ENCODINGS: Final = ("big5", "cp1252", "cp1251", "shift_jis", "euc_kr")
# GB 2312 level 1: the 3755 characters that make up 99.7 % of running Chinese text.
_COMMON_HAN: Final = range(0xB0, 0xD8)
_COMMON_SHARE: Final = 0.8  # Other encodings read as GB18030 give rare characters, or none at all.
_DAMAGE_SHARE: Final = (
    0.02  # Of the non-ASCII characters of a UTF-8 file with a broken byte or two.
)
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # Before UTF-16: its mark begins with the other's.
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decode_text(data: bytes) -> str:
    """Decode a text file whose encoding nobody told.

    A byte order mark is believed; then UTF-16 by its pattern of zeros, UTF-8, GB18030 by the share
    of everyday Chinese characters, and last a guess among other encodings.

    Raises:
        InputError: Too large (413), or no text in any encoding we know (422).
    """
    if len(data) > MAX_FILE_BYTES:
        raise InputError(
            f"{len(data)} bytes, the limit is {MAX_FILE_BYTES}",
            status=413,
            title_zh=f"字幕文件太大,最大 {MAX_FILE_BYTES // 1024 // 1024} MB",
        )
    for mark, name in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    if (wide := _guess_utf16(data)) is not None:
        return data.decode(wide, "replace")
    text = _decode_utf8(data) or _decode_gb18030(data) or _guess(data)
    if text is None or "\0" in text:
        raise InputError(
            "no text in a known encoding",
            status=422,
            title_zh="认不出这个文件的文字编码,请另存为 UTF-8 再上传",
        )
    return text


def _guess_utf16(data: bytes) -> str | None:
    """Recognise UTF-16 without a mark: time codes are ASCII, so every other byte there is zero."""
    sample = data[:SAMPLE_BYTES]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    many = len(sample) // 10
    if odd > many and even <= odd // 10:
        return "utf-16-le"
    if even > many and odd <= even // 10:
        return "utf-16-be"
    return None


def _decode_utf8(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("utf-8", "replace")
    foreign = sum(not char.isascii() for char in text)
    damaged = text.count("\ufffd")
    return text if damaged <= foreign * _DAMAGE_SHARE else None


def _decode_gb18030(data: bytes) -> str | None:
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError as error:
        if error.start < len(data) - 4:  # A torn last character is no reason to refuse.
            return None
        text = data[: error.start].decode("gb18030")
    han = [char for char in text[:SAMPLE_BYTES] if "\u4e00" <= char <= "\u9fff"]
    common = sum(char.encode("gb18030")[0] in _COMMON_HAN for char in han)
    return text if han and common >= len(han) * _COMMON_SHARE else None


def _guess(data: bytes) -> str | None:
    best = from_bytes(data[:SAMPLE_BYTES], cp_isolation=list(OTHER_ENCODINGS)).best()
    return None if best is None else data.decode(best.encoding, "replace")
