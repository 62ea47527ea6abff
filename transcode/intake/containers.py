"""Which containers are taken, and what the other files are that people upload by mistake. Pure.

The demuxer is chosen by content among the names here (``-format_whitelist``) and forced with
``-f`` ever after. Demuxers that open other addresses or guess numbers of files (hls, dash, concat,
image2, sdp, rtsp, lavfi ...) are not here, so that no upload can name another file.
"""

from __future__ import annotations

from typing import Final

from kernel.errors import EncodeError

HEAD_BYTES: Final = 4096  # Enough to tell a document from media.
# FFmpeg's names; a demuxer with several is found by any of them.
DEMUXERS: Final = (
    *("mov", "matroska", "mpegts", "mpeg", "avi", "flv", "live_flv", "kux", "asf", "rm", "ogg"),
    *("mxf", "gxf", "dv", "ivf", "wtv", "nut", "nsv", "vivo", "mpegvideo", "dhav"),
    *("mp3", "aac", "flac", "wav", "w64", "aiff", "au", "amr", "caf", "ape", "wv", "tta", "tak"),
    *("ac3", "eac3", "dts", "mpc", "mpc8", "voc", "loas", "dsf", "oma"),
)
_NOT_MEDIA: Final = (
    (b"%PDF-", "PDF 文档"),
    (b"\x89PNG\r\n", "一张图片"),
    (b"\xff\xd8\xff", "一张图片"),
    (b"GIF8", "一张图片"),
    (b"BM", "一张图片"),
    (b"II*\x00", "一张图片"),
    (b"MM\x00*", "一张图片"),
    (b"8BPS", "一张图片"),
    (b"PK\x03\x04", "压缩包或 Office 文档"),
    (b"Rar!", "压缩包"),
    (b"7z\xbc\xaf", "压缩包"),
    (b"\x1f\x8b", "压缩包"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1", "Office 文档"),
    (b"MZ", "一个程序"),
    (b"\x7fELF", "一个程序"),
    (b"SQLite format 3", "一个数据库"),
    (b"{\\rtf", "一份文档"),
)
_TEXTS: Final = (
    (b"#extm3u", "播放列表(m3u8),它只写着地址,里面没有画面和声音"),
    (b"<mpd", "播放列表(DASH),它只写着地址,里面没有画面和声音"),
    (b"ffconcat", "文件清单,里面没有画面和声音"),
    (b"[playlist]", "播放列表,它只写着地址,里面没有画面和声音"),
    (b"v=0", "会话描述(SDP),里面没有画面和声音"),
    (b"webvtt", "字幕文件;请先上传视频,再在课程页面添加字幕"),
    (b"[script info]", "字幕文件;请先上传视频,再在课程页面添加字幕"),
    (b"<!doctype html", "网页"),
    (b"<html", "网页"),
)
_CONTAINERS: Final = (
    (b"\x1a\x45\xdf\xa3", "MKV/WebM"),
    (b"RIFF", "WAV/AVI"),
    (b"OggS", "Ogg"),
    (b"FLV", "FLV"),
    (b"fLaC", "FLAC"),
    (b"ID3", "MP3"),
    (b"\x30\x26\xb2\x75", "WMV"),
    (b".RMF", "RealMedia"),
)
_TEXT_SHARE: Final = 0.97  # Of the head's bytes that text is made of.


def refuse_by_head(head: bytes, *, size_bytes: int) -> None:
    """Refuse what is no media by its first bytes, with a sentence that names what it is.

    Raises:
        EncodeError: Permanent.
    """
    if size_bytes == 0 or not head:
        raise refusal("the file is empty", "文件是空的,请重新选择文件上传")
    found = _find_kind(head)
    if found is not None:
        raise refusal(f"not media: {head[:16]!r}", f"这不是音视频文件,而是{found}")


def refusal(detail: str, sentence: str) -> EncodeError:
    """Build the error of a file that no retry makes better."""
    return EncodeError(detail, permanent=True, title_zh=sentence)


def name_container(head: bytes) -> str | None:
    """Name the container that the first bytes look like, as people call it."""
    if head[4:8] in {b"ftyp", b"moov", b"mdat", b"wide", b"free"}:
        return "MP4/MOV"
    return next((name for magic, name in _CONTAINERS if head.startswith(magic)), None)


def find_demuxer(format_name: str) -> str | None:
    """Return the name to force with ``-f``: the first of ffprobe's names that is allowed."""
    return next((name for name in format_name.split(",") if name in DEMUXERS), None)


def _find_kind(head: bytes) -> str | None:
    for magic, kind in _NOT_MEDIA:
        if head.startswith(magic) and not (magic in {b"BM", b"MZ"} and _looks_like_text(head)):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "一张图片"
    if head[4:8] == b"ftyp" and head[8:12] in {b"heic", b"heix", b"mif1", b"avif"}:
        return "一张图片"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1024].lower()
    for start, kind in _TEXTS:
        if text.startswith(start) or (start == b"<mpd" and b"<mpd" in text):
            return kind
    return "文本文件" if _looks_like_text(head) else None


def _looks_like_text(head: bytes) -> bool:
    if b"\x00" in head:
        return False
    plain = sum(1 for byte in head if byte >= 0x20 or byte in b"\t\r\n")  # noqa: PLR2004 - below it are controls
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            return False
    return plain >= _TEXT_SHARE * len(head)
