"""The data folder: private, locked, and made only once."""

from __future__ import annotations

from pathlib import Path

import pytest

from hall import folders
from hall.backup import make_backup, restore_backup
from kernel.config import Settings
from kernel.errors import ConflictError, InputError


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(data=tmp_path / "data")
    folders.ensure_folders(made)
    return made


def test_second_start_on_the_same_folder_is_refused(settings: Settings) -> None:
    with (
        folders.hold_lock(settings),
        pytest.raises(ConflictError, match="in use by process"),
        folders.hold_lock(settings),
    ):
        pytest.fail("the lock was given twice")


def test_lock_is_free_again_after_use(settings: Settings) -> None:
    for _ in range(2):
        with folders.hold_lock(settings):
            assert (settings.data / "lock").read_text().isdigit()


def test_nothing_stays_behind_in_the_temporary_folder(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / ("long" * 30))
    folders.ensure_folders(settings)
    assert not settings.sockets.is_relative_to(settings.data)
    with folders.hold_lock(settings):
        assert settings.sockets.is_dir()
    assert not settings.sockets.exists()


def test_secret_is_private_and_stays(settings: Settings) -> None:
    first = folders.ensure_secret(settings).get_secret_value()
    assert folders.ensure_secret(settings).get_secret_value() == first
    assert len(first) >= 40
    assert (settings.data / "secret").stat().st_mode & 0o777 == 0o600


def test_admin_password_is_new_once(settings: Settings) -> None:
    first, is_new = folders.ensure_admin_password(settings)
    again, is_new_again = folders.ensure_admin_password(settings)
    assert (is_new, is_new_again) == (True, False)
    assert first == again


def test_given_admin_password_is_written_nowhere(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, admin_password="from the operator")
    password, is_new = folders.ensure_admin_password(settings)
    assert password.get_secret_value() == "from the operator"
    assert not is_new
    assert list(tmp_path.iterdir()) == []


async def test_backup_comes_back_whole(settings: Settings, tmp_path: Path) -> None:
    import sqlite3

    (settings.data / "blobs" / "live").mkdir()
    (settings.data / "blobs" / "live" / "1.m4s").write_bytes(b"media")
    folders.ensure_secret(settings)
    database = sqlite3.connect(settings.data / "hall.db")
    database.execute("CREATE TABLE lectures (id)")
    database.execute("INSERT INTO lectures VALUES (7)")
    database.commit()
    report = await make_backup(settings, tmp_path / "copy")
    database.close()
    assert "complete" in report

    fresh = Settings(data=tmp_path / "fresh")
    await restore_backup(fresh, tmp_path / "copy")
    assert (fresh.data / "blobs" / "live" / "1.m4s").read_bytes() == b"media"
    assert (fresh.data / "secret").read_text() == (settings.data / "secret").read_text()
    database = sqlite3.connect(fresh.data / "hall.db")
    assert database.execute("SELECT id FROM lectures").fetchall() == [(7,)]
    database.close()


async def test_restore_refuses_what_is_no_backup_or_not_empty(
    settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no complete backup"):
        await restore_backup(Settings(data=tmp_path / "new"), tmp_path)
    (settings.data / "hall.db").touch()
    import sqlite3

    sqlite3.connect(settings.data / "hall.db").close()
    await make_backup(settings, tmp_path / "copy")
    with pytest.raises(ConflictError, match="not empty"):
        await restore_backup(settings, tmp_path / "copy")
    with pytest.raises(ConflictError, match="exists"):
        await make_backup(settings, tmp_path / "copy")
