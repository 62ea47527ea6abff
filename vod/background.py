"""What vod does by itself: carry wishes to end classes, end forgotten ones, publish, tidy up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Final

import structlog
from aiohttp import web

from kernel.errors import DependencyError
from vod.accounts import sessions, throttle
from vod.classes.endings import carry_wishes, end_idle_classes
from vod.events import service as events
from vod.http.keys import CLOCK, DATABASE, SECRET, SETTINGS, STREAMER
from vod.jobs.background import keep_running
from vod.library.review.clock import follow_clock
from vod.notify import courier
from vod.notify.ways import Ways, open_ways, read_recipients
from vod.orders.service import carry_up
from vod.settings import read_idle_end
from vod.webhooks import distribute
from vod.webhooks.delivery import deliver_due

WISHES_S: Final = 2.0  # Streamer is back: the class should end within seconds.
ORDERS_S: Final = 60.0  # What is late is so by days.
PUBLISHING_S: Final = 5.0  # Far below a minute, which is what people set.
OUTGOING_S: Final = 2.0  # Others hear of it while it is news.
IDLE_S: Final = 30.0
HOUSEKEEPING_S: Final = 3600.0
OUTGOING_KEPT: Final = timedelta(days=30)  # The log of deliveries goes back so far.
INBOX_KEPT: Final = timedelta(days=60)  # Nobody repeats an event for longer.

log = structlog.get_logger(__name__)


async def run_housekeeping(app: web.Application) -> AsyncIterator[None]:
    """``cleanup_ctx``: run the tasks; each is started again if it crashes."""
    async with open_ways(app[SETTINGS], app[CLOCK]) as ways:
        tasks = _start_works(app, ways)
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _start_works(app: web.Application, ways: Ways) -> list[asyncio.Task[None]]:
    works = {
        "end-wishes": (WISHES_S, partial(_carry_wishes, app)),
        "idle-classes": (IDLE_S, partial(_end_idle, app)),
        "publishing": (PUBLISHING_S, partial(_follow_clock, app)),
        "late-orders": (ORDERS_S, partial(_carry_orders, app)),
        "events-out": (OUTGOING_S, partial(_give_out, app)),
        "webhooks": (OUTGOING_S, partial(_deliver, app)),
        "messages": (OUTGOING_S, partial(_send_messages, app, ways)),
        "housekeeping": (HOUSEKEEPING_S, partial(tidy_up, app)),
    }
    return [
        asyncio.create_task(keep_running(name, partial(_repeat, name, period_s, work)), name=name)
        for name, (period_s, work) in works.items()
    ]


async def _repeat(name: str, period_s: float, work: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await work()
        except DependencyError as error:
            log.warning("background_task_postponed", task=name, reason=str(error))
        await asyncio.sleep(period_s)


async def _carry_wishes(app: web.Application) -> None:
    await carry_wishes(app[DATABASE], app[STREAMER], now=app[CLOCK].now())


async def _follow_clock(app: web.Application) -> None:
    await follow_clock(app[DATABASE], now=app[CLOCK].now())


async def _carry_orders(app: web.Application) -> None:
    await carry_up(app[DATABASE], now=app[CLOCK].now())


async def _give_out(app: web.Application) -> None:
    """Make deliveries and messages of what happened since the last round."""
    database, settings, now = app[DATABASE], app[SETTINGS], app[CLOCK].now()
    await distribute.tell_notices(database, now=now)
    await distribute.distribute_events(
        database, read_recipients(settings), origin=settings.origin, now=now
    )


async def _deliver(app: web.Application) -> None:
    await deliver_due(
        app[DATABASE], app[CLOCK], key=app[SECRET], allow_private=app[SETTINGS].webhook_private
    )


async def _send_messages(app: web.Application, ways: Ways) -> None:
    await courier.send_due(app[DATABASE], ways, app[CLOCK])


async def _end_idle(app: web.Application) -> None:
    await end_idle_classes(
        app[DATABASE], now=app[CLOCK].now(), idle_end=read_idle_end(app[SETTINGS])
    )


async def tidy_up(app: web.Application) -> None:
    """Forget expired sessions, old counters of failures and old inbox rows."""
    now = app[CLOCK].now()
    async with app[DATABASE].write() as session:
        await sessions.forget_expired(session, now)
        await throttle.forget_old(session, now)
        await events.forget_old(session, before=now - INBOX_KEPT)
        await courier.forget_old(session, before=now - OUTGOING_KEPT)
        await distribute.forget_old(session, before=now - OUTGOING_KEPT)
