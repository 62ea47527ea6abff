"""`hall demo`: run everything, fill it with believable data through the API, teach."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiohttp
import click
import structlog

from hall.api import HallApi
from hall.banner import print_banner
from hall.demo.centre import furnish
from hall.demo.lecture import publish_lecture
from hall.demo.people import add_accounts
from hall.demo.script import PEOPLE
from hall.demo.slides import SHANGHAI
from hall.folders import ensure_admin_password
from hall.importing import open_sender
from hall.up import Running, local_host, local_origin, run_everything
from kernel.config import Settings
from kernel.errors import DependencyError, HallError

FIRST_CLASS_S: Final = 45  # Long enough to be watched live, short enough to see the replay soon.
SERIES_TITLE: Final = "党史学习教育"
UPCOMING: Final = (  # Title, days from today, hour and minute in Shanghai.
    ("基层党建实务答疑", 1, 15, 0),
    ("乡村振兴案例：合作社如何算好三笔账", 2, 19, 30),
    ("情景党课：一封家书", 3, 9, 0),
)

log = structlog.get_logger(__name__)


async def run_demo(settings: Settings) -> None:
    """Run until cancelled."""
    async with run_everything(settings) as running:
        print_banner(settings, new_password=running.new_password)
        teaching = asyncio.create_task(_teach(settings), name="demo-lecture")
        try:
            await asyncio.wait(
                [teaching, asyncio.create_task(_keep(running))],
                return_when=asyncio.FIRST_COMPLETED,
            )
            if teaching.done():
                teaching.result()
                await running.supervisor.wait()
        finally:
            teaching.cancel()
            await asyncio.gather(teaching, return_exceptions=True)


async def _keep(running: Running) -> None:
    await running.supervisor.wait()


async def _teach(settings: Settings) -> None:
    """Fill the centre, teach a short class to its end, then a second one until we are stopped."""
    password, _ = ensure_admin_password(settings)
    async with aiohttp.ClientSession() as session:
        api = HallApi(session, local_origin(settings))
        api.speak_of(settings.origin)
        await api.sign_in("admin", password.get_secret_value())
        series_id = await _fill(api, settings)
        furnishing = asyncio.create_task(_furnish(api, settings, series_id), name="demo-centre")
        try:
            await _teach_classes(api, settings, series_id)
        finally:
            furnishing.cancel()
            await asyncio.gather(furnishing, return_exceptions=True)


async def _furnish(api: HallApi, settings: Settings, series_id: str) -> None:
    """Fill the centre beside the class; the class goes on when something is refused."""
    from transcode.settings import find_programs

    try:
        async with open_sender(settings) as sender:
            await furnish(
                api,
                sender,
                series_id=series_id,
                ffmpeg=find_programs(settings).ffmpeg,
                act_as=partial(_act_as, api, settings.data / "demo-accounts"),
                say=lambda line: click.echo(f"  {line}"),
            )
    except HallError as error:
        click.echo(f"  the sample centre is incomplete: {error}", err=True)
        log.exception("demo_centre_incomplete")


async def _act_as(api: HallApi, kept: Path, login: str) -> HallApi:
    """Sign somebody of the sample in, with the password kept at the first start.

    Raises:
        DependencyError: It is not there, or is another one by now.
    """
    lines = (await asyncio.to_thread(kept.read_text, encoding="utf-8")).splitlines()
    for line in lines:
        name, _, rest = line.partition(" / ")
        if name == login:
            return await api.act_as(login, rest.split("   ")[0])
    raise DependencyError(f"{kept} does not name {login}")


async def _teach_classes(api: HallApi, settings: Settings, series_id: str) -> None:
    """Teach one class to its end, then another until we are stopped."""
    first = await _start_class(api, "第一讲 星星之火", series_id)
    click.echo(f"  live now  {first['watch_url']}  (ends in {FIRST_CLASS_S} s, then its replay)")
    await _publish(settings, first, duration_s=FIRST_CLASS_S)
    await api.call("POST", f"/live-classes/{first['id']}/end")
    click.echo(f"  replay    {first['watch_url']}")
    second = await _start_class(api, "第二讲 草原上的党旗", series_id)
    click.echo(f"  live now  {second['watch_url']}  (until Ctrl-C)")
    await _publish(settings, second, duration_s=None)


async def _fill(api: HallApi, settings: Settings) -> str:
    """Create accounts, the series and the timetable once; later starts find them."""
    found = await api.call("GET", f"/series?q={SERIES_TITLE}")
    for series in found["items"]:
        if series["title"] == SERIES_TITLE:
            return str(series["id"])
    made = await add_accounts(api)
    lines = [
        f"{person.login} / {made[person.login][1]}   {person.name} ({person.role})"
        for person in PEOPLE
    ]
    await asyncio.to_thread(_keep_accounts, settings.data / "demo-accounts", lines)
    click.echo("  accounts  " + "\n            ".join(lines))
    series = await api.call(
        "POST",
        "/series",
        {
            "title": SERIES_TITLE,
            "description": "十二讲，从建党到新时代；每周三 20:00 直播,课后回看。",
        },
    )
    for title, days, hour, minute in UPCOMING:
        day = datetime.now(SHANGHAI) + timedelta(days=days)
        starts_at = day.replace(hour=hour, minute=minute, second=0, microsecond=0)
        body = {"title": title, "visibility": "public", "starts_at": starts_at.isoformat()}
        await api.call("POST", "/live-classes", {**body, "instructor_id": made["jiangshi"][0]})
    return str(series["id"])


def _keep_accounts(path: Path, lines: list[str]) -> None:
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


async def _start_class(api: HallApi, title: str, series_id: str) -> dict[str, Any]:
    body = {
        "title": title,
        "visibility": "public",
        "series_id": series_id,
        "starts_at": datetime.now(UTC).isoformat(),
    }
    return dict(await api.call("POST", "/live-classes", body))


async def _publish(settings: Settings, made: dict[str, Any], *, duration_s: float | None) -> None:
    from transcode.settings import find_programs

    url = f"rtmp://{local_host(settings)}:{settings.rtmp_port}/live/{made['publish']['stream_key']}"
    await publish_lecture(url, ffmpeg=find_programs(settings).ffmpeg, duration_s=duration_s)
