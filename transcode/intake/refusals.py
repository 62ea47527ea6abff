"""Turn what programs say about a file into what a person is told about it. Pure."""

from __future__ import annotations

from typing import Final

from kernel.errors import DependencyError, EncodeError
from transcode.intake.containers import refusal
from transcode.runner import ToolError

_NETWORK_SIGNS: Final = (
    "HTTP error",
    "Server returned",
    "Connection",
    "timed out",
    "Input/output error",
    "End of file",
    "Failed to resolve",
)
_CRASHES: Final = tuple(
    f"killed by {name}" for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGXCPU")
)
_SENTENCES: Final = (
    (
        ("moov atom not found",),
        "文件不完整:缺少索引(moov),可能没有传完,或者录制时意外中断。请重新导出后再上传",
    ),
    (
        ("initialization vector", "encrypted", "DRM"),
        "文件是加密的(受版权保护),无法转码。请上传没有加密的版本",
    ),
    (("not on whitelist",), "这种格式的文件暂不支持,请转换为 MP4 后再上传"),
    (("not finished after", *_CRASHES), "文件的内容异常,读取时一直没有结果,无法转码"),
    (("bytes of output",), "文件的结构异常,里面的轨道信息多得不合理"),
)
UNKNOWN: Final = "无法识别文件的内容:它不是音视频文件,或者已经损坏"


class BrokenClockError(EncodeError):
    """The times of a file go back or leap; laying its packets out anew may cure it."""


def explain_probe_failure(
    error: EncodeError, *, is_local: bool, container: str | None = None
) -> Exception:
    """Return the error to raise when a program could not read the file.

    A program that could not be started or was killed from outside says nothing about the file;
    neither does a store that does not answer.
    """
    text = str(error)
    if isinstance(error, ToolError) and error.cause in {"memory", "disk"}:
        return error
    if text.startswith(("cannot start", "killed by SIGKILL", "killed by SIGTERM")):
        return error
    if not is_local and any(sign in text for sign in _NETWORK_SIGNS):
        return DependencyError(f"the blob store did not deliver the file: {text}")
    for signs, sentence in _SENTENCES:
        if any(sign in text for sign in signs):
            return refusal(text, sentence)
    if container is not None:
        return refusal(
            text, f"这像是 {container} 文件,但已经损坏或不完整,无法读取。请重新导出后再上传"
        )
    return refusal(text, UNKNOWN)
