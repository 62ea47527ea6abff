"""The command line as an operator meets it: sentences and exit codes, never a traceback."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from kernel.config import Settings
from tests.support.cli import Outcome, run_cli
from tests.support.ports import find_free_port

pytestmark = [pytest.mark.timeout(120)]


@pytest.fixture
def env(short_dir: Path) -> dict[str, str]:
    """A data folder of its own on ports of its own; nothing runs there."""
    return {
        "HALL_DATA": str(short_dir / "data"),
        "HALL_HTTP_PORT": str(find_free_port()),
        "HALL_RTMP_PORT": str(find_free_port()),
    }


def assert_sentence(outcome: Outcome, code: int, *parts: str) -> None:
    said = outcome.out + outcome.err
    assert outcome.code == code, said
    assert "Traceback" not in said
    for part in parts:
        assert part in said


@pytest.mark.parametrize("command", [("config",), ("up",), ("setup",), ("serve", "vod")])
async def test_wrong_settings_are_all_reported_at_once(
    env: dict[str, str], command: tuple[str, ...]
) -> None:
    wrong = {
        **env,
        "HALL_HTTP_PORT": "eighty",
        "HALL_RTMP_PORT": "70000",
        "HALL_TRUSTED_PROXIES": "10.0.0.0/33",
        "HALL_VOD_LISTEN": "8081",
        "HALL_METRICS_BIND": "9100",
        "HALL_RTC_PORTS": "9-1",
        "HALL_LOG_LEVEL": "loud",
        "HALL_WORKERS": "-1",
    }
    outcome = await run_cli(*command, env=wrong)
    names = set(wrong) - {"HALL_DATA"}
    assert_sentence(outcome, 2, "Wrong settings:", *names)
    assert len(outcome.err.strip().splitlines()) == 1 + len(names), "one line each"
    assert not Path(env["HALL_DATA"]).exists(), "nothing was begun"


@pytest.mark.parametrize(
    ("alone", "wanted"),
    [
        ({"HALL_TLS_CERT": "/tmp/cert.pem"}, "HALL_TLS_CERT and HALL_TLS_KEY go together"),
        ({"HALL_INTERNAL_BIND": "127.0.0.1"}, "HALL_INTERNAL_BIND needs HALL_INTERNAL_SECRET"),
        ({"HALL_BLOBS_URL": "s3://127.0.0.1:1/b"}, "HALL_BLOBS_URL needs HALL_S3_ACCESS_KEY"),
    ],
)
async def test_settings_that_go_together_are_asked_for(
    env: dict[str, str], alone: dict[str, str], wanted: str
) -> None:
    assert_sentence(await run_cli("config", env={**env, **alone}), 2, wanted)


async def test_config_masks_secrets_and_names_every_setting(env: dict[str, str]) -> None:
    secrets = {
        "HALL_SECRET": "s1-very-secret",
        "HALL_INTERNAL_SECRET": "s2-very-secret",
        "HALL_ADMIN_PASSWORD": "s3-very-secret",
        "HALL_S3_ACCESS_KEY": "s4-very-secret",
        "HALL_S3_SECRET_KEY": "s5-very-secret",
        "HALL_DATABASE_URL": "postgresql+asyncpg://hall:s6-very-secret@db:5432/hall",
        "HALL_REDIS_URL": "redis://:s7-very-secret@cache:6379/0",
    }
    outcome = await run_cli("config", env={**env, **secrets})
    assert outcome.code == 0
    assert "very-secret" not in outcome.out + outcome.err
    shown = dict(line.split("=", 1) for line in outcome.out.splitlines())
    assert set(shown) == {f"HALL_{name.upper()}" for name in Settings.model_fields}
    assert shown["HALL_SECRET"] == "***"
    assert shown["HALL_DATABASE_URL"] == "postgresql+asyncpg://***@db:5432/hall"
    assert shown["HALL_HTTP_PORT"] == env["HALL_HTTP_PORT"]


async def test_setup_prepares_once_and_keeps_the_password_private(env: dict[str, str]) -> None:
    first = await run_cli("setup", env=env)
    assert_sentence(first, 0, "The database is ready. admin / ")
    data = Path(env["HALL_DATA"])
    kept = data / "admin-password"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert kept.read_text().strip() in first.out
    again = await run_cli("setup", env=env)
    assert_sentence(again, 0, "The database is ready.")
    assert kept.read_text().strip() not in again.out, "shown once"
    migrated = await run_cli("migrate", env=env)
    assert_sentence(migrated, 0, "up to date")


async def test_account_create_makes_accounts_without_a_running_hall(env: dict[str, str]) -> None:
    await run_cli("setup", env=env)
    made = await run_cli("account", "create", "bianji", "--role", "editor", env=env)
    assert_sentence(made, 0, "bianji (editor) is there. Password: ")
    given = await run_cli(
        "account", "create", "jiangshi", "--role", "instructor", "--name", "其其格",
        "--password-stdin", env=env, stdin="a password of hers\n",
    )  # fmt: skip
    assert_sentence(given, 0, "jiangshi (instructor) is there.")
    assert "password of hers" not in given.out + given.err
    with closing(sqlite3.connect(Path(env["HALL_DATA"]) / "hall.db")) as database:
        rows = database.execute("SELECT login, display_name, role FROM accounts").fetchall()
        stored = database.execute("SELECT * FROM accounts").fetchall()
    assert {("bianji", "bianji", "editor"), ("jiangshi", "其其格", "instructor")} <= set(rows)
    assert "password of hers" not in repr(stored)


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "wanted"),
    [
        (("bianji",), "", 1, "bianji"),  # Taken.
        (("kurz", "--password-stdin"), "abc\n", 1, "password"),
        (("kurz", "--role", "king"), "", 2, "king"),
        (("", "--role", "member"), "", 1, "login"),
    ],
)
async def test_account_that_cannot_be_is_refused_in_a_sentence(
    env: dict[str, str], arguments: tuple[str, ...], stdin: str, code: int, wanted: str
) -> None:
    await run_cli("setup", env=env)
    await run_cli("account", "create", "bianji", env=env)
    outcome = await run_cli("account", "create", *arguments, env=env, stdin=stdin)
    assert_sentence(outcome, code, wanted)


async def test_class_create_says_that_nothing_runs(env: dict[str, str]) -> None:
    await run_cli("setup", env=env)
    outcome = await run_cli("class", "create", "第一讲", "--json", env=env)
    assert_sentence(outcome, 1, "hall up")
    wrong = await run_cli("class", "create", "第一讲", "--starts-at", "tomorrow", env=env)
    assert_sentence(wrong, 2, "tomorrow")


async def test_doctor_finds_what_is_wrong_and_says_what_to_do(
    env: dict[str, str], short_dir: Path
) -> None:
    (short_dir / "player").mkdir()
    (short_dir / "player" / "index.html").write_text("page")
    env = {**env, "HALL_PLAYER_DIR": str(short_dir / "player")}
    well = await run_cli("doctor", env=env)
    assert_sentence(well, 0, "ok   nginx", "ok   ffmpeg", "ok   Valkey", "not running")
    bad = {
        **env,
        "HALL_FFMPEG": "/nowhere/ffmpeg",
        "HALL_PLAYER_DIR": str(short_dir / "empty"),
        "HALL_BIND": "0.0.0.0",  # noqa: S104 - doctor warns of it
        "HALL_TLS_CERT": "",
    }
    ill = await run_cli("doctor", env=bad)
    assert_sentence(ill, 1, "BAD  player", "make player", "BAD  exposure", "HALL_TLS_CERT")
    assert ill.out.count("BAD ") >= 3


async def test_data_folder_that_cannot_be_is_a_sentence(
    env: dict[str, str], short_dir: Path
) -> None:
    (short_dir / "file").write_text("not a folder")
    inside = {**env, "HALL_DATA": str(short_dir / "file" / "data")}
    for command in (("setup",), ("serve", "gate"), ("account", "create", "somebody")):
        assert_sentence(await run_cli(*command, env=inside), 1, "cannot make", "file/data")
    assert_sentence(await run_cli("backup", str(short_dir / "b"), env=inside), 1, "no data folder")


async def test_unknown_words_are_explained(env: dict[str, str]) -> None:
    assert_sentence(await run_cli("fly", env=env), 2, "No such command")
    assert_sentence(await run_cli("serve", "coffee", env=env), 2, "coffee")
    helped = await run_cli("--help", env=env)
    assert helped.code == 0
    words = ("up", "demo", "serve", "worker", "migrate", "config", "doctor", "backup", "restore")
    assert all(f"  {word}" in helped.out for word in words)
