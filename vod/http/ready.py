"""Alive, and ready: ``/healthz``, ``/readyz`` and ``/internal/ready``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, Final

from aiohttp import web
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text

from kernel.errors import DependencyError, HallError
from kernel.http import build_problem
from vod.db.engine import Database
from vod.http.keys import BROKER, DATABASE, STREAMER

DEADLINE_S: Final = 2.0  # Whoever asks polls; a slow neighbour counts as away.


async def get_healthz(_request: web.Request) -> web.Response:
    """The process answers."""
    return web.json_response({"status": "alive"}, headers={"Cache-Control": "no-store"})


async def get_readyz(request: web.Request) -> web.Response:
    """Everything a member needs is there: our own neighbours, and streamer with its own."""
    app = request.app
    return await _answer(
        {
            "database": _check_database(app[DATABASE]),
            "broker": _check_broker(app[BROKER]),
            "streamer": app[STREAMER].call("GET", "/internal/ready"),
        }
    )


async def get_internal_ready(request: web.Request) -> web.Response:
    """Our own neighbours only, so that two services never wait for each other."""
    app = request.app
    return await _answer(
        {
            "database": _check_database(app[DATABASE]),
            "broker": _check_broker(app[BROKER]),
        }
    )


async def _answer(checks: Mapping[str, Awaitable[Any]]) -> web.Response:
    reasons = await asyncio.gather(*(_find_reason(check) for check in checks.values()))
    missing = {name: reason for name, reason in zip(checks, reasons, strict=True) if reason}
    if not missing:
        return web.Response(status=204, headers={"Cache-Control": "no-store"})
    detail = "; ".join(f"{name}: {reason}" for name, reason in missing.items())
    return build_problem(
        kind="not-ready",
        status=503,
        title="服务还没有准备好",
        detail=detail,
        missing=sorted(missing),
    )


async def _find_reason(check: Awaitable[Any]) -> str | None:
    try:
        async with asyncio.timeout(DEADLINE_S):
            await check
    except TimeoutError:
        return f"no answer within {DEADLINE_S:g} s"
    except HallError as error:
        return str(error)
    return None


async def _check_database(database: Database) -> None:
    async with database.read() as session:
        await session.execute(text("SELECT 1 FROM accounts WHERE 1 = 0"))


async def _check_broker(broker: Redis) -> None:
    try:
        await broker.ping()
    except (RedisError, OSError) as error:
        raise DependencyError(f"{error!r}") from error


PUBLIC_ROUTES: Final = (web.get("/healthz", get_healthz), web.get("/readyz", get_readyz))
INTERNAL_ROUTES: Final = (web.get("/internal/ready", get_internal_ready),)
