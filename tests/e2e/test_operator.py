"""An operator's commands against a hall that runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tests.support.cli import run_cli
from tests.support.hall import Hall
from tests.support.publisher import publish

pytestmark = [pytest.mark.timeout(180)]


async def test_class_made_on_the_command_line_is_taught(hall: Hall) -> None:
    env = {"HALL_DATA": str(hall.data), "HALL_HTTP_PORT": str(hall.http_port)}
    starts_at = "2031-05-01T09:30:00+08:00"
    done = await run_cli(
        "class", "create", "命令行开的课", "--visibility", "public", "--starts-at", starts_at,
        "--json", env=env,
    )  # fmt: skip
    assert done.code == 0, done.err
    made = json.loads(done.out)
    assert made["state"] == "scheduled"
    assert datetime.fromisoformat(made["starts_at"]) == datetime(2031, 5, 1, 1, 30, tzinfo=UTC)
    assert set(made["publish"]) >= {"rtmp_url", "stream_key", "whip_url", "whip_token"}
    async with publish(f"{hall.rtmp}/{made['publish']['stream_key']}"):
        await hall.api().wait_for_state(made["id"], "live")

    plain = await run_cli("class", "create", "内部课", env=env)
    assert plain.code == 0, plain.err
    assert all(word in plain.out for word in ("/classes/", "OBS server", "stream key", "WHIP"))
    refused = await run_cli("class", "create", "", "--json", env=env)
    assert refused.code == 1
    assert "Traceback" not in refused.err

    made_account = await run_cli(
        "account", "create", "xueyuan-cli", "--password-stdin", env=env, stdin="a long password\n"
    )
    assert made_account.code == 0, made_account.err
    member = await hall.api().sign_in("xueyuan-cli", "a long password")
    assert (await member.get("/session"))["account"]["role"] == "member"

    examined = await run_cli("doctor", env=env)
    assert "running, /readyz says 204" in examined.out
    busy = await run_cli("up", env={**env, "HALL_RTMP_PORT": str(hall.rtmp_port)})
    assert busy.code == 1
    assert "in use by process" in busy.err
