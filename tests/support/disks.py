"""A file system so small that a test can fill it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BLOCK_BYTES = 1024 * 1024


@contextmanager
def small_disk(folder: Path, *, size_mb: int) -> Iterator[None]:
    """Mount one on ``folder``; skips the test loudly where that is not permitted."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a file system is not permitted")
    done = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip("mounting a file system is not permitted")
    try:
        yield
    finally:
        subprocess.run(["/bin/umount", "-l", str(folder)], check=True)


def fill_blocking(path: Path) -> None:
    """Take all space that is left, to the last byte."""
    block = bytes(BLOCK_BYTES)
    with path.open("wb", buffering=0) as ballast:
        while True:
            try:
                ballast.write(block)
            except OSError:
                if len(block) == 1:
                    return
                block = block[: max(len(block) // 16, 1)]
