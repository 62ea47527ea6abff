"""The gate's configuration, from the settings. Pure except for reading the template."""

from __future__ import annotations

import hashlib
import os
import re
import resource
import shutil
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from kernel.config import Settings, split_addresses
from kernel.errors import ConflictError
from kernel.http import SECRET_HEADER

WANTED_OPEN_FILES: Final = 65_536  # Two descriptors per viewer, for 10 000 viewers and their parts.
# A response whose cache file cannot be written is cut off, so a full disk would silence the class:
# where the system has a memory file system with room, the caches live there.
MEMORY_ROOT: Final = Path("/dev/shm")  # noqa: S108 - a folder of our own inside, mode 0700
MEMORY_WANTED_BYTES: Final = 512 * 1024 * 1024
MEMORY_MEDIA_CACHE: Final = "256m"  # Half an hour of one class; older segments are read again.
DISK_MEDIA_CACHE: Final = "2g"
FAIL_TIMEOUT: Final = "2s"  # How long a vod that did not answer is left alone, of several.
_PLACE: Final = re.compile(r"@([A-Z_]+)@")


@dataclass(frozen=True, slots=True)
class GatePaths:
    """Folders the gate uses: its own writable one, its caches' and the built player."""

    work: Path
    caches: Path
    player: Path


def render_gate_config(
    settings: Settings, *, paths: GatePaths, workers_count: int, is_root: bool, open_files: int
) -> str:
    """Fill the template in.

    Args:
        workers_count: nginx worker processes.
        is_root: Workers of a root master would drop to ``nobody`` and lose the private sockets.
        open_files: Descriptors per worker, within the hard limit.
    """
    places = {
        "WORKERS": str(workers_count),
        "USER": "user root root;" if is_root else "",
        "DIR": str(paths.work),
        "NOFILE": str(open_files),
        "CONNECTIONS": str(open_files // 2),
        "CACHES": str(paths.caches),
        "MEDIA_CACHE": (DISK_MEDIA_CACHE if paths.caches == paths.work else MEMORY_MEDIA_CACHE),
        "VOD": _upstream("vod", settings.vod_address),
        "VOD_INTERNAL": _upstream("vod_internal", settings.vod_internal_peer),
        "STREAMER": _upstream("streamer", settings.streamer_address),
        "TRUSTED_GEO": " ".join(f"{network} 1;" for network in settings.trusted_proxies),
        "REAL_IP": _render_real_ip(settings),
        "SOCKET": str(settings.gate_socket),
        "LISTEN": _render_listen(settings),
        "TLS": _render_tls(settings),
        "PLAYER": str(paths.player),
        "SECRET_HEADER": _render_secret(settings),
        "BLOBS": _render_blobs(settings),
    }
    return _PLACE.sub(lambda match: places[match[1]], _read_template())


def write_gate_config(settings: Settings, *, player: Path) -> Path:
    """Write ``{data}/nginx/nginx.conf`` (0600: it may hold the internal secret)."""
    work, caches = settings.data / "nginx", find_cache_folder(settings)
    for folder in (work, caches):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if folder.stat().st_uid != os.geteuid():
            raise ConflictError(f"{folder} belongs to somebody else")
    text = render_gate_config(
        settings,
        paths=GatePaths(work=work, caches=caches, player=player),
        workers_count=min(os.cpu_count() or 1, 8),
        is_root=os.geteuid() == 0,
        open_files=min(WANTED_OPEN_FILES, _hard_limit()),
    )
    path = work / "nginx.conf"
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return path


def find_cache_folder(settings: Settings) -> Path:
    """Where the gate caches: a folder of ours in memory if there is room, else on the disk."""
    try:
        free_bytes = shutil.disk_usage(MEMORY_ROOT).free
    except OSError:  # No such file system here.
        free_bytes = 0
    if free_bytes < MEMORY_WANTED_BYTES or not os.access(MEMORY_ROOT, os.W_OK):
        return settings.data / "nginx"
    digest = hashlib.sha256(str(settings.data).encode()).hexdigest()[:12]
    return MEMORY_ROOT / f"hall-gate-{digest}"


def remove_caches(settings: Settings) -> None:
    """Give the memory back when the gate has stopped."""
    folder = find_cache_folder(settings)
    if folder.is_relative_to(MEMORY_ROOT):
        shutil.rmtree(folder, ignore_errors=True)


def _read_template() -> str:
    return files("hall").joinpath("gate.conf.in").read_text(encoding="utf-8")


def _hard_limit() -> int:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return WANTED_OPEN_FILES if hard == resource.RLIM_INFINITY else hard


def _upstream(name: str, addresses: str) -> str:
    """``unix:PATH``, ``tcp:HOST:PORT`` or ``http://HOST:PORT``, or a list, as nginx servers."""
    servers = [
        part.removeprefix("tcp:").removeprefix("http://").rstrip("/")
        for part in split_addresses(addresses)
    ]
    if len(servers) == 1:
        return f"server {servers[0]};"
    # All nginx workers know at once which server is away; it is tried again after the timeout.
    lines = [f"server {server} max_fails=1 fail_timeout={FAIL_TIMEOUT};" for server in servers]
    return " ".join([f"zone {name} 128k;", *lines])


def _render_real_ip(settings: Settings) -> str:
    if not settings.trusted_proxies:
        return ""
    lines = [f"set_real_ip_from {network};" for network in settings.trusted_proxies]
    return "\n    ".join([*lines, "real_ip_header X-Forwarded-For;", "real_ip_recursive on;"])


def _render_listen(settings: Settings) -> str:
    host = f"[{settings.bind}]" if ":" in settings.bind else settings.bind
    return f"{host}:{settings.http_port} {'ssl ' if settings.tls_cert else ''}backlog=4096"


def _render_tls(settings: Settings) -> str:
    if settings.tls_cert is None:
        return ""
    return "\n        ".join(
        [
            f"ssl_certificate {settings.tls_cert.resolve()};",
            f"ssl_certificate_key {(settings.tls_key or settings.tls_cert).resolve()};",
            "ssl_protocols TLSv1.2 TLSv1.3;",
            "ssl_session_cache shared:tls:10m;",
            "http2 on;",
            'add_header Strict-Transport-Security "max-age=31536000" always;',
        ]
    )


def _render_secret(settings: Settings) -> str:
    if settings.internal_bind is None or settings.internal_secret is None:
        return ""
    return f'proxy_set_header {SECRET_HEADER} "{settings.internal_secret.get_secret_value()}";'


def _render_blobs(settings: Settings) -> str:
    """vod hands files over by X-Accel-Redirect when the blob store is a folder beside us."""
    if settings.blobs_url:
        return ""
    return f"location /_blobs/ {{ internal; alias {settings.data / 'blobs'}/; etag on; }}"
