"""The address under which whoever asks reaches us; all absolute URLs are built from it."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from kernel.config import Settings
from vod.http.keys import SETTINGS

# A name or address with an optional port; anything else in Host is not put into our answers.
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")


def read_origin(request: web.Request) -> str:
    """Return ``scheme://host[:port]`` of the request: ``HALL_PUBLIC_URL``, else as the gate says.

    Only the gate reaches our socket, and it sets these headers itself.
    """
    settings = request.app[SETTINGS]
    if settings.public_url is not None:
        return settings.origin
    host: str = request.headers.get("X-Forwarded-Host") or request.headers.get("Host") or ""
    scheme = request.headers.get("X-Forwarded-Proto", "http")
    if scheme not in {"http", "https"} or not _is_host(host):
        return settings.origin
    return f"{scheme}://{host}"


def _is_host(text: str) -> bool:
    if not _HOST.fullmatch(text):
        return False
    try:
        urlsplit(f"//{text}")
    except ValueError:
        return False  # Brackets around what is no IPv6 address.
    return True


def is_https(origin: str) -> bool:
    return origin.startswith("https://")


def build_rtmp_url(settings: Settings, origin: str) -> str:
    """Build the publishing address for encoders: same host as the page, RTMP's port."""
    if settings.rtmp_public_url or settings.public_url:
        return settings.rtmp_url
    host = urlsplit(origin).hostname or "localhost"
    shown = f"[{host}]" if ":" in host else host
    return f"rtmp://{shown}:{settings.rtmp_port}/live"


def read_address(request: web.Request) -> str:
    """Return the address of whoever asks, as the gate saw it."""
    return request.headers.get("X-Real-IP") or request.remote or "local"
