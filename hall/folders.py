"""The data folder: its lock, its secrets and the folders inside. Runs before any service."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from kernel.config import Settings
from kernel.errors import ConflictError
from kernel.ids import new_secret

FOLDERS: Final = ("blobs", "spool", "valkey", "nginx", "tmp")
PASSWORD_BYTES: Final = 12  # 96 bits, 16 characters: typed once, guessed never.


def ensure_folders(settings: Settings) -> None:
    """Make the data folder and the folder of the private sockets, both for us alone.

    Raises:
        ConflictError: One of them cannot be made, or belongs to somebody else.
    """
    try:
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in FOLDERS:
            (settings.data / name).mkdir(exist_ok=True, mode=0o700)
        settings.sockets.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConflictError(f"cannot make {error.filename}: {error.strerror}") from error
    if settings.sockets.stat().st_uid != os.geteuid():
        raise ConflictError(f"{settings.sockets} belongs to somebody else; set HALL_RUN_DIR")


@contextmanager
def hold_lock(settings: Settings) -> Iterator[None]:
    """Hold the data folder: a second start on it is refused.

    Raises:
        ConflictError: Another process holds it; the message names its pid.
    """
    path = settings.data / "lock"
    with path.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise ConflictError(
                f"{settings.data} is in use by process {holder}; stop it, or set HALL_DATA"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            _remove_sockets(settings)


def _remove_sockets(settings: Settings) -> None:
    """Leave no folder of ours under the system's temporary one; the data folder keeps its own."""
    if settings.run_dir is None and not settings.sockets.is_relative_to(settings.data):
        shutil.rmtree(settings.sockets, ignore_errors=True)


def ensure_secret(settings: Settings) -> SecretStr:
    """Return the signing secret; made once and kept 0600 when none is set."""
    if settings.secret is not None:
        return settings.secret
    return SecretStr(_ensure_private(settings.data / "secret", new_secret))


def ensure_admin_password(settings: Settings) -> tuple[SecretStr, bool]:
    """Return the first administrator's password and whether it was made just now.

    A password from the settings is used as it is and written nowhere.
    """
    if settings.admin_password is not None:
        return settings.admin_password, False
    path = settings.data / "admin-password"
    is_new = not path.exists()
    return SecretStr(_ensure_private(path, lambda: secrets.token_urlsafe(PASSWORD_BYTES))), is_new


def _ensure_private(path: Path, make: Callable[[], str]) -> str:
    if path.exists():
        return path.read_text(encoding="ascii").strip()
    value = make()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(value + "\n")
    return value
