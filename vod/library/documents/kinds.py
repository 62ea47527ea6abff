"""Which files may be kept as papers: by name and by their first bytes. Pure."""

from __future__ import annotations

from typing import Final

from kernel.errors import InputError

_ZIP: Final = (b"PK\x03\x04",)
_OLE: Final = (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",)
_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
# Suffix: type, and how such a file begins; nothing for plain text.
KINDS: Final[dict[str, tuple[str, tuple[bytes, ...]]]] = {
    "pdf": ("application/pdf", (b"%PDF-",)),
    "docx": (_OFFICE + "wordprocessingml.document", _ZIP),
    "xlsx": (_OFFICE + "spreadsheetml.sheet", _ZIP),
    "pptx": (_OFFICE + "presentationml.presentation", _ZIP),
    "doc": ("application/msword", _OLE),
    "xls": ("application/vnd.ms-excel", _OLE),
    "ppt": ("application/vnd.ms-powerpoint", _OLE),
    "wps": ("application/vnd.ms-works", _OLE),
    "epub": ("application/epub+zip", _ZIP),
    "zip": ("application/zip", _ZIP),
    "jpg": ("image/jpeg", (b"\xff\xd8\xff",)),
    "jpeg": ("image/jpeg", (b"\xff\xd8\xff",)),
    "png": ("image/png", (b"\x89PNG\r\n\x1a\n",)),
    "txt": ("text/plain; charset=utf-8", ()),
}


def find_kind(filename: str, head: bytes) -> str:
    """Find the content type of a file.

    Args:
        head: Its first bytes.

    Raises:
        InputError: 415, of another kind, or not what its name says.
    """
    suffix = filename.rpartition(".")[2].lower()
    if suffix not in KINDS:
        raise InputError(
            f"no documents of kind {suffix!r}",
            field="filename",
            status=415,
            title_zh="不支持这种文件,请上传 PDF、Office 文档、图片或文本",
        )
    content_type, beginnings = KINDS[suffix]
    is_right = head.startswith(beginnings) if beginnings else b"\x00" not in head
    if not is_right:
        raise InputError(
            f"the file is no {suffix}",
            field="filename",
            status=415,
            title_zh="文件内容与扩展名不符,请检查后再传",
        )
    return content_type
