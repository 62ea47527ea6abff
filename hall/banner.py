"""What `hall up` says when everything answers."""

from __future__ import annotations

import sys

import click

from kernel.config import Settings


def print_banner(settings: Settings, *, new_password: str | None) -> None:
    """Print the address, the administrator's login, and what to do next."""
    lines = [
        "",
        f"云上讲堂 is ready   {settings.origin}",
        f"  sign in   admin / {_describe_password(settings, new_password)}",
        f"  OBS       {settings.rtmp_url}",
        "  next      sign in, open 我要开课, make a class, go live. Ctrl-C stops everything.",
    ]
    if settings.bind in {"127.0.0.1", "::1"}:
        lines.append("  note      only this machine can connect; README, “Opening it up”.")
    click.echo("\n".join(lines))
    sys.stdout.flush()


def _describe_password(settings: Settings, new_password: str | None) -> str:
    if new_password is not None:
        return f"{new_password}   (made just now, kept in {settings.data / 'admin-password'})"
    if settings.admin_password is not None:
        return "what HALL_ADMIN_PASSWORD said at the first start"
    return f"see {settings.data / 'admin-password'}"
