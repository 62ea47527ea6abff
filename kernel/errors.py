"""The one exception tree of the project.

HallError
├── InputError            400/413/415/422: the caller sent something we refuse
├── NotSignedInError      401
├── NotAllowedError       403
├── NotFoundError         404
├── ConflictError         409
├── CapacityError         503 + Retry-After: a limit of ours is reached
├── MediaError            foreign or our own media does not hold
│   ├── TimestampError
│   ├── BitstreamError    H.264, AAC, FLV, AMF, RTMP bytes
│   ├── PlaylistSyntaxError
│   ├── BoxError          ISO BMFF
│   └── EncodeError
├── GoneError             410: it was there, and does not come back
├── LockedError           423: somebody else is at it
├── ChecksumError         460 (tus): the bytes are not those that were sent
└── DependencyError       a neighbour (database, blobs, broker, another service) failed
    ├── BlobMissingError
    └── StorageFullError  507: no room for more bytes

Errors carry data and build the sentence in ``__str__``. Vendor errors are translated once, at
the adapter, with the cause chained. ``kernel.http`` renders them as ``application/problem+json``.
"""

from __future__ import annotations

from typing import ClassVar


class HallError(Exception):
    """Root of every error this project raises on purpose.

    Attributes:
        kind: Stable machine name, the last path element of the problem ``type``.
        status: HTTP status the error maps to at the edge.
        title_zh: One short Chinese sentence for a member, without details.
        detail: What happened, in English, naming the field and the limit.
    """

    kind: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title_zh: ClassVar[str] = "系统出了点问题,请稍后再试"

    def __init__(self, detail: str = "", *, title_zh: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.title = title_zh or self.title_zh

    def __str__(self) -> str:
        return self.detail or self.kind


class InputError(HallError):
    kind = "invalid-input"
    status = 400
    title_zh = "提交的内容有误"

    def __init__(
        self,
        detail: str = "",
        *,
        field: str | None = None,
        status: int = 400,
        title_zh: str | None = None,
    ) -> None:
        """``status`` is one of 400, 405, 406, 411, 412, 413, 415, 422, 428."""
        super().__init__(detail, title_zh=title_zh)
        self.field = field
        self.http_status = status


class NotSignedInError(HallError):
    kind = "not-signed-in"
    status = 401
    title_zh = "请先登录"


class NotAllowedError(HallError):
    kind = "not-allowed"
    status = 403
    title_zh = "没有权限"


class NotFoundError(HallError):
    kind = "not-found"
    status = 404
    title_zh = "没有找到"


class ConflictError(HallError):
    kind = "conflict"
    status = 409
    title_zh = "状态已经变化,请刷新后再试"


class GoneError(HallError):
    kind = "gone"
    status = 410
    title_zh = "已经不在了"


class LockedError(HallError):
    kind = "locked"
    status = 423
    title_zh = "正被另一个连接使用,请稍后再试"


class ChecksumError(HallError):
    kind = "checksum"
    status = 460  # tus 1.0, checksum extension; no HTTP status of its own fits.
    title_zh = "传输中数据有误,请重发这一段"


class CapacityError(HallError):
    kind = "over-capacity"
    status = 503
    title_zh = "人数已满,请稍后再试"

    def __init__(
        self, detail: str = "", *, retry_after_s: int = 5, title_zh: str | None = None
    ) -> None:
        super().__init__(detail, title_zh=title_zh)
        self.retry_after_s = retry_after_s


class ThrottledError(CapacityError):
    kind = "too-many-attempts"
    status = 429
    title_zh = "尝试次数过多,请稍后再试"


class MediaError(HallError):
    kind = "media"
    status = 422
    title_zh = "媒体内容无法识别"


class TimestampError(MediaError):
    kind = "media-timestamp"


class BitstreamError(MediaError):
    kind = "media-bitstream"


class PlaylistSyntaxError(MediaError):
    kind = "playlist-syntax"


class BoxError(MediaError):
    kind = "media-box"


class EncodeError(MediaError):
    kind = "encode"

    def __init__(
        self, detail: str = "", *, permanent: bool = False, title_zh: str | None = None
    ) -> None:
        """``permanent``: trying again with the same input cannot help."""
        super().__init__(detail, title_zh=title_zh)
        self.permanent = permanent


class DependencyError(HallError):
    kind = "dependency"
    status = 503
    title_zh = "服务暂时不可用,请稍后再试"

    def __init__(
        self, detail: str = "", *, retryable: bool = True, title_zh: str | None = None
    ) -> None:
        super().__init__(detail, title_zh=title_zh)
        self.retryable = retryable


class BlobMissingError(DependencyError):
    kind = "blob-missing"
    status = 404
    title_zh = "没有找到"

    def __init__(self, key: str) -> None:
        super().__init__(f"no blob under {key!r}", retryable=False)
        self.key = key


class StorageFullError(DependencyError):
    kind = "storage-full"
    status = 507
    title_zh = "存储空间不足,请联系管理员清理后再继续"


class SettingsError(HallError):
    """All wrong settings at once; the command line prints it and exits with 2."""

    kind = "settings"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
