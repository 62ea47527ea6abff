"""Furnish the sample centre through the public API; what is there already stays as it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from hall.api import HallApi
from hall.demo.menus import open_channel, publish_menus, publish_notices, recommend
from hall.demo.orders import place_orders
from hall.demo.people import add_members, build_units, place_people
from hall.demo.script import LESSONS, NAMES, TEACHERS, VENUES
from hall.demo.shelves import add_lessons, add_link, add_teachers, add_venues
from hall.sending import Sender


async def furnish(
    api: HallApi,
    sender: Sender,
    *,
    series_id: str,
    ffmpeg: Path,
    act_as: Callable[[str], Awaitable[HallApi]],
    say: Callable[[str], None],
) -> None:
    """Fill in units, people, library, menus and a channel, in the order one depends on another.

    Args:
        api: Signed in as an administrator; ``sender`` uploads as one.
        act_as: Signs one of ``PEOPLE`` in by login.
        say: Told a line after every step.

    Raises:
        DependencyError: The hall refused something, or a lesson could not be made.
    """
    units = await build_units(api)
    await place_people(api, units)
    new_count = await add_members(api, units)
    say(f"units     {len(units.branches)} branches, {len(NAMES)} members ({new_count} new)")
    teachers = await add_teachers(api)
    await add_venues(api)
    link_id = await add_link(api, series_id)
    say(f"library   {len(TEACHERS)} teachers, {len(VENUES)} teaching points")
    lessons = await add_lessons(api, sender, ffmpeg=ffmpeg, series_id=series_id, teachers=teachers)
    say(f"lessons   {len(lessons)} of the series can be watched")
    await publish_menus(api, series_id=series_id, link_id=link_id, lessons=lessons)
    await publish_notices(api, lessons)
    now = datetime.now(UTC)
    await recommend(api, lessons[LESSONS[0].title], now=now)
    channel_id = await open_channel(api, lessons, now=now)
    say(f"on air    notices, menus for two groups; the channel at /channels/{channel_id}")
    orders_count = await place_orders(api, act_as, lecture_id=lessons[LESSONS[1].title])
    say(f"orders    {orders_count}, from just ordered to rated")
