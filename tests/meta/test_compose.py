"""The compose file holds what the README promises: health checks, no sleeps, no default secrets."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hall.cli import cli
from kernel.config import Settings

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
SECRETS = {
    "HALL_SECRET", "HALL_INTERNAL_SECRET", "HALL_ADMIN_PASSWORD", "HALL_S3_ACCESS_KEY",
    "HALL_S3_SECRET_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD",
}  # fmt: skip
LONG_RUNNING = {"postgres", "valkey", "minio", "vod-1", "vod-2", "streamer", "gate"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load(COMPOSE.read_text(encoding="utf-8")))


def test_every_long_running_service_has_a_health_check(compose: dict[str, Any]) -> None:
    without = {name for name in LONG_RUNNING if "healthcheck" not in compose["services"][name]}
    assert without == set()


def test_start_order_waits_for_health_never_for_time(compose: dict[str, Any]) -> None:
    assert "sleep" not in COMPOSE.read_text(encoding="utf-8")
    for name, service in compose["services"].items():
        for other, how in service.get("depends_on", {}).items():
            assert how["condition"] in {"service_healthy", "service_completed_successfully"}, (
                name,
                other,
            )


def test_images_are_pinned(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        image = service["image"]
        if "build" not in service:
            assert re.search(r":[\w.-]*\d", image), f"{name}: {image}"
            assert not image.endswith(":latest")


def test_secrets_have_no_defaults() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    for name in SECRETS:
        uses = re.findall(r"\$\{" + name + r"([^}]*)\}", text)
        assert uses, name
        assert all(use.startswith(":?") for use in uses), f"{name} has a default"


def test_every_setting_is_one_that_hall_knows(compose: dict[str, Any]) -> None:
    known = {f"HALL_{name.upper()}" for name in Settings.model_fields} | {"HALL_PLAYER_DIR"}
    for name, service in compose["services"].items():
        used = {key for key in service.get("environment", {}) if key.startswith("HALL_")}
        assert used <= known, (name, used - known)


def test_commands_are_commands_of_hall(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        if "build" in service:
            assert service["command"][0] in cli.commands


@pytest.mark.skipif(shutil.which("docker") is None, reason="no docker client on this machine")
def test_docker_accepts_the_file() -> None:
    ready = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if ready.returncode != 0:
        pytest.skip("the docker client has no compose plugin")
    result = subprocess.run(
        ["docker", "compose", "-f", str(COMPOSE), "config", "--quiet"],
        env={**os.environ, **dict.fromkeys(SECRETS, "x")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
