"""`hall backup` and `hall restore`: everything that cannot be made again, as plain files.

```
TARGET/hall.db      a consistent copy of SQLite, taken while it is in use
TARGET/blobs/       the blob store's folder
TARGET/spool/       recordings that are not in the blob store yet
TARGET/secret, admin-password
TARGET/backup.json  written last: a backup without it is not one
```
PostgreSQL and S3 have better tools of their own (``pg_dump``, bucket replication): what they hold
is left out, and the report says so.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hall import folders
from kernel.config import Settings
from kernel.errors import ConflictError, InputError

FORMAT: Final = 1
MANIFEST: Final = "backup.json"
PRIVATE_FILES: Final = ("secret", "admin-password")


async def make_backup(settings: Settings, target: Path) -> str:
    """Copy into ``target``, which must not exist yet; services may run.

    Order matters: recordings before the database, so that nothing the database names is missing;
    what appears in between is merely not named.

    Raises:
        ConflictError: ``target`` exists.
        InputError: There is no data folder.
    """
    return await asyncio.to_thread(_make_blocking, settings, target)


async def restore_backup(settings: Settings, source: Path) -> str:
    """Copy a backup into the data folder, which must be empty or absent.

    Raises:
        InputError: ``source`` is no complete backup of a format we know.
        ConflictError: The data folder holds something, or is in use.
    """
    return await asyncio.to_thread(_restore_blocking, settings, source)


def _make_blocking(settings: Settings, target: Path) -> str:
    if not settings.data.is_dir():
        raise InputError(f"there is no data folder {settings.data}")
    if target.exists():
        raise ConflictError(f"{target} exists; a backup wants a new folder")
    target.mkdir(parents=True, mode=0o700)
    left_out: list[str] = []
    _copy_tree(settings.data / "spool", target / "spool")
    if settings.blobs_url is None:
        _copy_tree(settings.data / "blobs", target / "blobs")
    else:
        left_out.append("the S3 bucket: copy it with your store's own tools")
    if settings.database_url is None:
        _copy_database(settings.data / "hall.db", target / "hall.db")
    else:
        left_out.append("PostgreSQL: use pg_dump")
    for name in PRIVATE_FILES:
        if (settings.data / name).exists():
            shutil.copy2(settings.data / name, target / name)
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    manifest = {"format": FORMAT, "made_at": made_at, "left_out": left_out}
    (target / MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")
    return "\n".join([f"Backup complete: {target}", *(f"  not in it: {line}" for line in left_out)])


def _restore_blocking(settings: Settings, source: Path) -> str:
    try:
        manifest = json.loads((source / MANIFEST).read_text(encoding="utf-8"))
        known = manifest.get("format") == FORMAT
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{source} is no complete backup: no readable {MANIFEST}") from error
    if not known:
        raise InputError(
            f"{source} has format {manifest.get('format')!r}; this version reads {FORMAT}"
        )
    if settings.data.exists() and any(settings.data.iterdir()):
        raise ConflictError(f"{settings.data} is not empty; restore wants an empty data folder")
    folders.ensure_folders(settings)
    with folders.hold_lock(settings):
        for name in ("spool", "blobs"):
            if (source / name).is_dir():
                shutil.copytree(source / name, settings.data / name, dirs_exist_ok=True)
        for name in ("hall.db", *PRIVATE_FILES):
            if (source / name).exists():
                shutil.copy2(source / name, settings.data / name)
                (settings.data / name).chmod(0o600)
        if (settings.data / "hall.db").exists():
            _end_unfinished_uploads(settings.data / "hall.db")
    return f"Restored {source} (made {manifest.get('made_at')}) into {settings.data}."


def _end_unfinished_uploads(database: Path) -> None:
    """Have them sent again: the backup's bytes are older than what its database says of them."""
    with closing(sqlite3.connect(database)) as restored, restored:
        tables = {row[0] for row in restored.execute("SELECT name FROM sqlite_master")}
        if "uploads" in tables:
            restored.execute(
                "UPDATE uploads SET state = 'expired', reason = ?, finished_at = expires_at"
                " WHERE state = 'receiving'",
                ("数据从备份恢复,请重新上传",),
            )


def _copy_tree(source: Path, target: Path) -> None:
    """Copy a folder in which files appear and vanish meanwhile."""
    target.mkdir(mode=0o700, exist_ok=True)
    for path in sorted(source.rglob("*")) if source.is_dir() else []:
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy2(path, place)
        except FileNotFoundError:
            continue  # A spool file that was stored and removed since we listed it.


def _copy_database(source: Path, target: Path) -> None:
    """SQLite's online backup: consistent whatever is being written."""
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as live,
        closing(sqlite3.connect(target)) as copy,
    ):
        live.backup(copy)
    target.chmod(0o600)
