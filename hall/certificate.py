"""Notice a renewed TLS certificate and have the gate take it, without dropping anybody.

Renewal tools replace two files, one after the other: a pair that does not fit together yet, or
never will, is not handed to nginx; the old one stays in use and the log says why.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog

from hall.supervisor import Child
from kernel.config import Settings

POLL_S: Final = 2.0  # Two stat calls; certificates change every few weeks.

Fingerprint = tuple[tuple[int, int, int], ...]

log = structlog.get_logger(__name__)


@asynccontextmanager
async def watch_certificate(settings: Settings, gate: Child) -> AsyncIterator[None]:
    """Reload ``gate`` (SIGHUP) whenever certificate or key have changed, while the block runs."""
    if settings.tls_cert is None or settings.tls_key is None:
        yield
        return
    paths = settings.tls_cert, settings.tls_key
    # nginx: on SIGHUP new workers take over; old ones finish the requests they have.
    watch = _watch(*paths, reload=lambda: gate.send_signal(signal.SIGHUP))
    task = asyncio.create_task(watch, name="certificate-watch")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _watch(cert: Path, key: Path, *, reload: Callable[[], object]) -> None:
    seen = await asyncio.to_thread(_take_fingerprint_blocking, cert, key)
    while True:
        await asyncio.sleep(POLL_S)
        now = await asyncio.to_thread(_take_fingerprint_blocking, cert, key)
        if now == seen:
            continue
        seen = now
        problem = await asyncio.to_thread(find_problem_blocking, cert, key)
        if problem is None:
            log.info("certificate_changed", path=str(cert))
            reload()
        else:
            log.warning("certificate_not_usable", path=str(cert), detail=problem)


def find_problem_blocking(cert: Path, key: Path) -> str | None:
    """Say why these files cannot serve TLS; ``None`` when they can."""
    try:
        # An encrypted key is refused, not asked about.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password="")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError.
        return str(error)
    return None


def _take_fingerprint_blocking(*paths: Path) -> Fingerprint:
    marks: list[tuple[int, int, int]] = []
    for path in paths:
        try:
            found = path.stat()
        except OSError:
            marks.append((0, 0, 0))  # Between "remove" and "write": a change, and not usable.
        else:
            marks.append((found.st_mtime_ns, found.st_size, found.st_ino))
    return tuple(marks)
