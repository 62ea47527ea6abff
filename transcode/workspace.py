"""Temporary folders of units: one each, always removed, also those of workers that were killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import uuid4

import structlog

FOLDER: Final = "transcode"
_LOCK: Final = "owner.lock"

log = structlog.get_logger(__name__)


@contextlib.contextmanager
def open_workspace(data: Path, token: str) -> Iterator[Path]:
    """Make ``{data}/tmp/transcode/{token}-...``, hold its lock, remove it at the end."""
    root = data / "tmp" / FOLDER
    folder = root / f"{token}-{uuid4().hex[:8]}"
    folder.mkdir(parents=True, mode=0o700)
    descriptor = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def remove_stale_workspaces(data: Path) -> int:
    """Remove folders whose owner is gone (its lock is free); return how many."""
    root = data / "tmp" / FOLDER
    removed = 0
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        try:
            descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # Just being made, or just being removed.
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
        finally:
            os.close(descriptor)
    if removed:
        log.info("stale_workspaces_removed", count=removed)
    return removed
