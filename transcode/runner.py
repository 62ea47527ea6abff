"""The only place that starts programs.

Argument list, own process group, stdin closed, nice 15 and idle I/O, resource limits, wall
deadline, watchdogs of progress, memory and disk, tail of stderr kept. A program dies with us, even
on kill -9 (PR_SET_PDEATHSIG on Linux); elsewhere when its pipes break.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import re
import resource
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from kernel.errors import EncodeError
from kernel.messages import FailureCause
from transcode.progress import Progress, ProgressParser
from transcode.settings import Limits

TAIL_BYTES: Final = 16 * 1024  # Of stderr; the last lines name the cause.
KILL_GRACE_S: Final = 5.0  # After SIGKILL only the kernel is left to wait for.
_CHUNK_BYTES: Final = 64 * 1024
_PR_SET_PDEATHSIG: Final = 1
_STAT_GROUP: Final = 2  # Of /proc/PID/stat, counted from behind the name: proc(5).
_STAT_RSS: Final = 21
_IOPRIO_IDLE: Final = 3 << 13  # class idle, linux/ioprio.h
_SYS_IOPRIO_SET: Final = {"x86_64": 251, "aarch64": 30}
# Bound before any fork: between fork and exec nothing may be imported or looked up.
_LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

# What ffmpeg says about input that no retry makes better.
PERMANENT_SIGNS: Final = (
    "Invalid data found when processing input",
    "moov atom not found",
    "does not contain any stream",
    "matches no streams",
    "Unknown decoder",
)

# Addresses of stored objects carry a signature; whoever has it may read them.
_SIGNATURES: Final = re.compile(r"(https?://[^\s?'\"]{1,2000})\?[^\s'\"]+")

MEMORY_SIGNS: Final = ("Cannot allocate memory", "std::bad_alloc", "malloc of size")
DISK_SIGNS: Final = ("No space left on device", "Disk quota exceeded", "File too large")
WATCH_S: Final = 0.5  # Between two looks at memory and disk.
CPU_GRACE_S: Final = 5  # After SIGXCPU, before the kernel kills.

DISK_TITLE: Final = "转码节点的磁盘空间不足"
MEMORY_TITLE: Final = "转码占用的内存过多,已被终止"

log = structlog.get_logger(__name__)
ProgressSink = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A program that ended with 0.

    Attributes:
        stdout: Its output; empty when stdout carried progress.
        stderr_tail: The last ``TAIL_BYTES`` as text.
    """

    stdout: bytes
    stderr_tail: str
    wall_s: float


class ToolError(EncodeError):
    """A program that did not end well; ``cause`` says of which kind that is."""

    def __init__(
        self,
        detail: str,
        *,
        cause: FailureCause = "tool",
        permanent: bool = False,
        title_zh: str | None = None,
    ) -> None:
        super().__init__(detail, permanent=permanent, title_zh=title_zh)
        self.cause: FailureCause = cause


class _Watch:
    """When something last moved, and what the program said last."""

    def __init__(self) -> None:
        self.started_s = self.moved_s = time.monotonic()
        self.last = Progress()
        self.tail = b""

    def take(self, progress: Progress) -> None:
        if (progress.frame, progress.out_time_us, progress.total_bytes) != (
            self.last.frame,
            self.last.out_time_us,
            self.last.total_bytes,
        ):
            self.moved_s = time.monotonic()
        self.last = progress

    @property
    def text(self) -> str:
        return hide_signatures(self.tail.decode("utf-8", "replace"))


async def run_tool(
    argv: Sequence[str], *, limits: Limits, on_progress: ProgressSink | None = None
) -> ToolResult:
    """Run one program to its end.

    Args:
        argv: Program first; never a shell.
        on_progress: When given, stdout is read as ``-progress pipe:1`` and the watchdog runs.

    Raises:
        ToolError: It failed, stalled, took too long, too much memory or disk, or said too much.
            ``permanent`` when its words mean that the input is at fault.

    Cancelling the caller kills the whole process group before the cancellation goes on.
    """
    log.debug("tool_started", command=hide_signatures(shlex.join(argv)))
    watch = _Watch()
    _check_disk(limits)
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            process_group=0,
            preexec_fn=_build_child_setup(limits),
        )
    except OSError as error:
        raise ToolError(f"cannot start {argv[0]}: {error}") from error
    try:
        stdout = await _supervise(process, watch, limits=limits, on_progress=on_progress)
    finally:
        await _kill_group(process)
    wall_s = time.monotonic() - watch.started_s
    log.debug("tool_ended", program=argv[0], code=process.returncode, wall_s=round(wall_s, 2))
    if process.returncode != 0:
        raise _describe_failure(process.returncode, watch.text)
    return ToolResult(stdout, watch.text, wall_s)


def hide_signatures(text: str) -> str:
    """Cut the query off every address."""
    return _SIGNATURES.sub(r"\1", text)


async def _supervise(
    process: asyncio.subprocess.Process,
    watch: _Watch,
    *,
    limits: Limits,
    on_progress: ProgressSink | None,
) -> bytes:
    assert process.stdout is not None  # noqa: S101 - both are pipes, see run_tool
    assert process.stderr is not None  # noqa: S101
    readers = [
        asyncio.create_task(_read_tail(process.stderr, watch)),
        asyncio.create_task(
            _read_output(process.stdout, limits.stdout_bytes)
            if on_progress is None
            else _read_progress(process.stdout, watch, on_progress)
        ),
    ]
    waiting: asyncio.Task[int] = asyncio.create_task(process.wait())
    guard = asyncio.create_task(_guard(process.pid, limits))
    try:
        while not waiting.done():
            now = time.monotonic()
            left_s = watch.started_s + limits.wall_s - now
            if on_progress is not None and limits.stall_s is not None:
                left_s = min(left_s, watch.moved_s + limits.stall_s - now)
            if left_s <= 0:
                raise _describe_timeout(watch, limits)
            # A reader that fails (too much output) must be noticed while the program runs.
            pending = [waiting, guard, *(reader for reader in readers if not reader.done())]
            await asyncio.wait(pending, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            for ended in (*readers, guard):
                if ended.done():
                    ended.result()
        output: list[bytes] = await asyncio.gather(*readers)
        return output[1]
    finally:
        for task in (*readers, waiting, guard):
            task.cancel()
        await asyncio.gather(*readers, waiting, guard, return_exceptions=True)


async def _guard(pid: int, limits: Limits) -> bytes:
    """Look after memory and disk until cancelled.

    Raises:
        ToolError: The group of ``pid`` takes too much, or the disk is nearly full.
    """
    while True:
        await asyncio.sleep(WATCH_S)
        taken = await asyncio.to_thread(measure_group_blocking, pid)
        if taken > limits.memory_bytes:
            mib = 1024 * 1024
            raise ToolError(
                f"it takes {taken // mib} MiB of memory, {limits.memory_bytes // mib} are allowed",
                cause="memory",
                title_zh=MEMORY_TITLE,
            )
        await asyncio.to_thread(_check_disk, limits)


def _check_disk(limits: Limits) -> None:
    if limits.folder is None:
        return
    free = shutil.disk_usage(limits.folder).free
    if free < limits.free_bytes:
        raise ToolError(
            f"{free} bytes are free on the disk of the workspace, {limits.free_bytes} must be",
            cause="disk",
            title_zh=DISK_TITLE,
        )


def measure_group_blocking(group_id: int) -> int:
    """Resident bytes of all processes of a group; 0 where there is no ``/proc``."""
    pages = 0
    try:
        entries = [entry.name for entry in os.scandir("/proc") if entry.name.isdigit()]
    except OSError:
        return 0
    for name in entries:
        try:
            # The command's name may hold spaces and brackets: the fields begin after the last one.
            fields = Path("/proc", name, "stat").read_bytes().rpartition(b")")[2].split()
        except OSError:  # It ended while we looked.
            continue
        if len(fields) > _STAT_RSS and int(fields[_STAT_GROUP]) == group_id:
            pages += int(fields[_STAT_RSS])
    return pages * resource.getpagesize()


async def _read_tail(stream: asyncio.StreamReader, watch: _Watch) -> bytes:
    while data := await stream.read(_CHUNK_BYTES):
        watch.tail = (watch.tail + data)[-TAIL_BYTES:]
    return b""


async def _read_output(stream: asyncio.StreamReader, limit_bytes: int) -> bytes:
    output = bytearray()
    while data := await stream.read(_CHUNK_BYTES):
        output += data
        if len(output) > limit_bytes:
            raise ToolError(
                f"more than {limit_bytes} bytes of output", cause="media", permanent=True
            )
    return bytes(output)


async def _read_progress(
    stream: asyncio.StreamReader, watch: _Watch, on_progress: ProgressSink
) -> bytes:
    parser = ProgressParser()
    while data := await stream.read(_CHUNK_BYTES):
        for progress in parser.feed(data):
            watch.take(progress)
            on_progress(progress)
    return b""


async def _kill_group(process: asyncio.subprocess.Process) -> None:
    """Kill the group if its leader still runs, reap it, close what it left in its pipes."""
    if process.returncode is None:  # Otherwise its number may belong to somebody else by now.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(process.wait()), KILL_GRACE_S)
    # A pipe with unread output stays open for ever; asyncio has no public way to close it.
    process._transport.close()  # type: ignore[attr-defined] # noqa: SLF001


def _describe_timeout(watch: _Watch, limits: Limits) -> ToolError:
    if time.monotonic() - watch.started_s >= limits.wall_s:
        return ToolError(
            f"not finished after {limits.wall_s:g} s", cause="timeout", title_zh="转码超时"
        )
    return ToolError(
        f"no progress for {limits.stall_s:g} s at frame {watch.last.frame}",
        cause="stall",
        title_zh="转码停滞",
    )


def _describe_failure(code: int | None, text: str) -> ToolError:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    last = " | ".join(lines[-3:])[:1000] or "it said nothing"
    if code is not None and code < 0:
        return _describe_signal(-code, last)
    if any(sign in text for sign in DISK_SIGNS):
        return ToolError(f"exit code {code}: {last}", cause="disk", title_zh=DISK_TITLE)
    if any(sign in text for sign in MEMORY_SIGNS):
        return ToolError(f"exit code {code}: {last}", cause="memory", title_zh=MEMORY_TITLE)
    is_input = any(sign in text for sign in PERMANENT_SIGNS)
    return ToolError(
        f"exit code {code}: {last}", cause="media" if is_input else "tool", permanent=is_input
    )


def _describe_signal(number: int, last: str) -> ToolError:
    """Somebody else ended it: we say so ourselves before we kill."""
    name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
    detail = f"killed by {name}: {last}"
    if number == signal.SIGKILL:  # The kernel's way when memory runs out.
        return ToolError(detail, cause="memory", title_zh="转码程序被系统终止,可能是内存不足")
    if number == signal.SIGXCPU:
        return ToolError(detail, cause="timeout", title_zh="转码耗费的处理器时间过多")
    if number == signal.SIGXFSZ:
        return ToolError(detail, cause="disk", title_zh="转码输出的文件过大")
    return ToolError(detail, title_zh="转码程序意外终止")


def _build_child_setup(limits: Limits) -> Callable[[], None]:
    """Build what runs between fork and exec: system calls only, nothing that may fail the start."""
    parent = os.getpid()
    ioprio = _SYS_IOPRIO_SET.get(os.uname().machine) if _LIBC is not None else None
    wanted = (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        *(((resource.RLIMIT_AS, limits.address_bytes),) if _LIBC is not None else ()),
    )
    values = [(kind, _lower(kind, value)) for kind, value in wanted]
    cores = limits.cores if hasattr(os, "sched_setaffinity") else ()

    def set_up() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # The parent died before the call above.
                os._exit(127)
            if ioprio is not None:
                _LIBC.syscall(ioprio, 1, 0, _IOPRIO_IDLE)
        os.nice(limits.nice)
        if cores:
            os.sched_setaffinity(0, cores)
        for kind, pair in values:
            resource.setrlimit(kind, pair)

    return set_up


def _lower(kind: int, value: int) -> tuple[int, int]:
    """Soft and hard limit, never above the hard limit we have.

    At the soft limit of processor time a program is told (SIGXCPU), at the hard one killed.
    """
    hard = resource.getrlimit(kind)[1]
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    if kind == resource.RLIMIT_CPU and (
        hard == resource.RLIM_INFINITY or allowed + CPU_GRACE_S <= hard
    ):
        return allowed, allowed + CPU_GRACE_S
    return allowed, allowed
