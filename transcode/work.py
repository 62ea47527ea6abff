"""The life of one unit on a worker: claim, run under a heartbeat, report.

```
claim --409--> drop the message            heartbeat --409--> kill what runs, drop
  |                                            |
  v                                            v
run  --ok--> complete (again and again while vod is down) --> remove stale blobs
  |--error--> fail (the same)
  `--the worker stops--> kill what runs, release
```
vod is the truth: whatever it refuses (409: somebody else has the unit) ends our part silently. What
it hands out may be another unit than the message named; all reports go to that one.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog
from pydantic import BaseModel, ValidationError

from kernel.blobs import BlobStore
from kernel.errors import (
    CapacityError,
    ConflictError,
    DependencyError,
    EncodeError,
    HallError,
    InputError,
    MediaError,
    NotFoundError,
)
from kernel.http import InternalClient
from kernel.ids import new_id
from kernel.messages import (
    HEARTBEAT_S,
    MAX_COMMANDS,
    ClaimedUnit,
    ClaimUnit,
    FailureCause,
    RunUnit,
    UnitCompleted,
    UnitFailed,
    UnitHeartbeat,
    UnitKind,
    UnitReleased,
)
from transcode.context import MAX_LOG_CHARS, Outcome, ProgressCell, UnitContext
from transcode.runner import DISK_TITLE, ToolError
from transcode.settings import Programs
from transcode.units import RUNNERS, Runner
from transcode.workspace import open_workspace

CLAIM_PATIENCE_S: Final = 300.0  # Then the message goes back to the broker.
REPORT_PATIENCE_S: Final = 2 * 3600.0  # The work is done: wait for vod rather than do it again.
FIRST_PAUSE_S: Final = 0.5
MAX_PAUSE_S: Final = 15.0
RELEASE_PATIENCE_S: Final = 5.0  # Otherwise the lease ends it; a worker that stops is in a hurry.
MAX_REASON_CHARS: Final = 2_000
MAX_COMMAND_CHARS: Final = 8_000
BEAT_LOG_CHARS: Final = 2_000
DISK_ERRORS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

log = structlog.get_logger(__name__)


class VodAwayError(DependencyError):
    """vod could not be asked in time; the message should come back later."""


@dataclass(frozen=True, slots=True)
class Workbench:
    """What every unit of this process uses.

    Attributes:
        heartbeat_s: Between two signs of life.
        runners: Kind -> what runs it.
    """

    store: BlobStore
    vod: InternalClient
    programs: Programs
    data: Path
    worker: str
    heartbeat_s: float = HEARTBEAT_S
    runners: Mapping[UnitKind, Runner] = field(default_factory=lambda: RUNNERS)


def name_worker(*, process_id: int | None = None, slot: int = 0) -> str:
    """Name one of the places of a worker process where a unit can run."""
    return f"{socket.gethostname()[:100]}/{process_id or os.getpid()}-{slot}"


async def work_on(bench: Workbench, message: RunUnit, *, stop: asyncio.Event | None = None) -> None:
    """Take one message to its end. Returns when it may be acknowledged.

    Args:
        stop: Set when the worker must stop: the unit is given back unfinished.

    Raises:
        VodAwayError: The unit could not even be claimed.
    """
    structlog.contextvars.bind_contextvars(unit_id=message.unit_id)
    unit = await _claim(bench, message)
    if unit is None:
        return
    log.info("unit_started", kind=unit.kind, key=unit.key, fence=unit.fence, attempt=unit.attempt)
    started_s = time.monotonic()
    progress, log_lines = ProgressCell(), list[str]()
    work = asyncio.create_task(_run(bench, unit, progress, log_lines))
    pulse = asyncio.create_task(_beat(bench, unit, progress, log_lines))
    stopping = asyncio.create_task((stop or asyncio.Event()).wait())
    try:
        await asyncio.wait({work, pulse, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            await _report(bench, unit, work.result())
            return
        work.cancel()
        await asyncio.wait({work})
        if stopping.done():
            await _release(bench, unit)
        else:  # The heartbeat only ends when the unit is no longer ours.
            if (error := pulse.exception()) is not None:
                log.error("heartbeat_crashed", exc_info=error)
            log.info("unit_lost", key=unit.key, fence=unit.fence)
        await _remove_prefixes(bench, (_own_prefix(unit),))
    finally:
        for task in (work, pulse, stopping):
            task.cancel()
        await asyncio.gather(work, pulse, stopping, return_exceptions=True)
        log.info("unit_ended", key=unit.key, wall_s=round(time.monotonic() - started_s, 2))


@dataclass(frozen=True, slots=True)
class _Ending:
    """How the run ended: an outcome or a failure, never both."""

    body: UnitCompleted | UnitFailed
    stale_prefixes: tuple[str, ...]


async def _claim(bench: Workbench, message: RunUnit) -> ClaimedUnit | None:
    path = f"/internal/units/{message.unit_id}/claim"
    try:
        answer = await _call(
            bench,
            path,
            # One identity for all tries: an answer that got lost must not cost a unit its lease.
            ClaimUnit(worker=bench.worker, claim_id=new_id()),
            patience_s=CLAIM_PATIENCE_S,
        )
    except (ConflictError, NotFoundError, InputError) as error:
        log.info("unit_not_claimed", reason=str(error))
        return None
    try:
        return ClaimedUnit.model_validate(answer)
    except ValidationError as error:
        log.error("claim_not_understood", detail=str(error)[:500])  # noqa: TRY400 - the sentence is enough
        return None


async def _run(
    bench: Workbench, unit: ClaimedUnit, progress: ProgressCell, log_lines: list[str]
) -> _Ending:
    token = f"{unit.unit_id}-{unit.fence}"
    try:
        with open_workspace(bench.data, token) as folder:
            return await _run_in(folder, bench, unit, progress, log_lines)
    except OSError as error:  # No room for a folder, or no right to make one: vod must hear of it.
        log.warning("workspace_not_made", key=unit.key, detail=str(error))
        return _failed(unit, log_lines, error, is_permanent=False)


async def _run_in(
    folder: Path,
    bench: Workbench,
    unit: ClaimedUnit,
    progress: ProgressCell,
    log_lines: list[str],
) -> _Ending:
    context = UnitContext(
        unit=unit,
        store=bench.store,
        programs=bench.programs,
        folder=folder,
        progress=progress,
        log_lines=log_lines,
    )
    try:
        outcome: Outcome = await bench.runners[unit.kind](context)
    except HallError as error:
        log.warning("unit_failed", key=unit.key, kind=error.kind, detail=str(error))
        return _failed(unit, log_lines, error, is_permanent=_is_permanent(error))
    except Exception as error:  # The task wrapper: a defect of ours must reach vod, too.
        log.exception("unit_crashed", key=unit.key)
        return _failed(unit, log_lines, error, is_permanent=False)
    body = UnitCompleted(
        fence=unit.fence,
        result=outcome.result.model_dump(mode="json"),
        log_tail=context.log_tail,
        commands=find_commands(log_lines),
    )
    return _Ending(body, outcome.stale_prefixes)


def _failed(
    unit: ClaimedUnit, log_lines: Sequence[str], error: Exception, *, is_permanent: bool
) -> _Ending:
    text = str(error) or type(error).__name__
    body = UnitFailed(
        fence=unit.fence,
        reason=describe_failure(error)[:MAX_REASON_CHARS],
        is_permanent=is_permanent,
        log_tail="\n".join([*log_lines, text])[-MAX_LOG_CHARS:],
        commands=find_commands(log_lines),
        cause=classify_failure(error),
    )
    return _Ending(body, (_own_prefix(unit),))


def describe_failure(error: Exception) -> str:
    """Say in Chinese, for editors, what went wrong; the log has the details. Pure."""
    if classify_failure(error) == "disk":
        return DISK_TITLE
    if not isinstance(error, HallError):
        return "转码程序出错,详情见日志"
    if isinstance(error, EncodeError) and error.title == EncodeError.title_zh:
        return "录制内容有问题,无法转码" if error.permanent else "转码没有成功,详情见日志"
    return error.title


def classify_failure(error: BaseException) -> FailureCause:
    """Say of which kind a failure is, for counting and for how often it is retried. Pure."""
    if isinstance(error, ToolError):
        return error.cause
    seen: BaseException | None = error
    while seen is not None:  # A store translates what the disk said; the disk is what matters.
        if isinstance(seen, OSError) and seen.errno in DISK_ERRORS:
            return "disk"
        seen = seen.__cause__
    if isinstance(error, EncodeError):
        return "media" if error.permanent else "tool"
    if isinstance(error, MediaError):
        return "media"
    if isinstance(error, MemoryError):
        return "memory"
    return "blobs" if isinstance(error, DependencyError) else "defect"


def find_commands(log_lines: Sequence[str]) -> tuple[str, ...]:
    """Take the command lines out of a unit's log, where each is behind a dollar sign. Pure."""
    found = [line[2:][:MAX_COMMAND_CHARS] for line in log_lines if line.startswith("$ ")]
    return tuple(found[:MAX_COMMANDS])


def _is_permanent(error: HallError) -> bool:
    if isinstance(error, EncodeError):
        return error.permanent
    return isinstance(error, MediaError)


def _own_prefix(unit: ClaimedUnit) -> str:
    return f"staging/{unit.unit_id}-{unit.fence}/"


async def _beat(
    bench: Workbench, unit: ClaimedUnit, progress: ProgressCell, log_lines: Sequence[str]
) -> None:
    """Tell vod that we live; return when it says that the unit is no longer ours."""
    path = f"/internal/units/{unit.unit_id}/heartbeat"
    while True:
        await asyncio.sleep(bench.heartbeat_s)
        body = UnitHeartbeat(
            fence=unit.fence,
            progress=progress.fraction,
            speed=progress.speed,
            log_tail="\n".join(log_lines[-20:])[-BEAT_LOG_CHARS:],
        )
        try:
            await bench.vod.call("POST", path, body=body)
        except (ConflictError, NotFoundError) as error:
            log.info("heartbeat_refused", reason=str(error))
            return
        except HallError as error:
            # Leases do not run while vod is down: go on, ask again.
            log.warning("heartbeat_not_delivered", detail=str(error))


async def _release(bench: Workbench, unit: ClaimedUnit) -> None:
    """Give the unit back unfinished; if vod cannot be told, its lease ends it."""
    path = f"/internal/units/{unit.unit_id}/release"
    body = UnitReleased(fence=unit.fence, reason=f"转码节点 {bench.worker} 正在停止")
    try:
        await _call(bench, path, body, patience_s=RELEASE_PATIENCE_S)
    except HallError as error:
        log.warning("unit_not_released", key=unit.key, detail=str(error))
    else:
        log.info("unit_released", key=unit.key, fence=unit.fence)


async def _report(bench: Workbench, unit: ClaimedUnit, ending: _Ending) -> None:
    """Deliver the ending.

    A refusal removes nothing: vod may have accepted an earlier try whose answer was lost, and then
    the staged files are the unit's result. Publishing removes the staging of every attempt.
    """
    verb = "complete" if isinstance(ending.body, UnitCompleted) else "fail"
    path = f"/internal/units/{unit.unit_id}/{verb}"
    try:
        await _call(bench, path, ending.body, patience_s=REPORT_PATIENCE_S)
    except (ConflictError, NotFoundError) as error:
        log.info("report_refused", verb=verb, reason=str(error))
        return
    except InputError as error:
        log.error("report_not_accepted", verb=verb, detail=str(error))  # noqa: TRY400 - vod said it all
        if isinstance(ending.body, UnitCompleted):
            refusal = UnitFailed(
                fence=unit.fence,
                reason="转码结果没有通过检查",
                is_permanent=True,
                log_tail=f"vod did not accept the result: {error}"[-MAX_LOG_CHARS:],
                cause="result",
            )
            await _report(bench, unit, _Ending(refusal, (_own_prefix(unit),)))
        return
    log.debug("unit_reported", verb=verb, key=unit.key)
    await _remove_prefixes(bench, ending.stale_prefixes)


async def _call(bench: Workbench, path: str, body: BaseModel, *, patience_s: float) -> Any:
    """Ask vod until it answers, with growing pauses."""
    deadline = time.monotonic() + patience_s
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return await bench.vod.call("POST", path, body=body)
        except (DependencyError, CapacityError) as error:
            if time.monotonic() + pause_s > deadline:
                raise VodAwayError(f"no answer to {path} in {patience_s:g} s: {error}") from error
            log.warning("vod_is_away", path=path, detail=str(error))
        await asyncio.sleep(pause_s)
        pause_s = min(MAX_PAUSE_S, 2 * pause_s)


async def _remove_prefixes(bench: Workbench, prefixes: tuple[str, ...]) -> None:
    """Delete what nobody needs any more; what cannot be deleted now is only a waste of space."""
    try:
        for prefix in prefixes:
            keys = [info.key async for info in bench.store.list_keys(prefix)]
            for key in keys:
                await bench.store.delete(key)
    except HallError as error:
        log.warning("staging_not_removed", detail=str(error))
