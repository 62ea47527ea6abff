"""Share pages, feeds, calendar and sitemap over HTTP, as strangers and programs read them."""

from __future__ import annotations

from datetime import timedelta
from xml.etree import ElementTree as ET

from aiohttp import ClientResponse
from icalendar import Calendar

from tests.integration.test_library_api import act, make, make_link
from tests.support.vod import Vod, database_url, databases, sqlite_url, sqlite_vod, vod

__all__ = ["database_url", "databases", "sqlite_url", "sqlite_vod", "vod"]  # Fixtures.


async def read(vod: Vod, path: str, **headers: str) -> tuple[ClientResponse, str]:
    async with vod.http.get(vod.base + path, headers=headers) as response:
        return response, await response.text()


async def test_strangers_read_summaries_of_what_is_announced_and_of_nothing_else(vod: Vod) -> None:
    open_one = await make_link(vod, title="公开课", visibility="public", description="一看就懂")
    own = await make_link(vod, title="内部课", visibility="members")
    bound = await make_link(
        vod, title="限定课", visibility="members", audience={"categories": ["new"]}
    )
    draft = await make_link(vod, title="草稿课", visibility="public")
    for made in (open_one, own, bound):
        assert (await act(vod, made["id"], "publish")).status == 200
    response, page = await read(vod, f"/s/{open_one['id']}")
    assert response.status == 200
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert 'property="og:title" content="公开课"' in page
    assert "一看就懂" in page
    again, _ = await read(
        vod, f"/s/{open_one['id']}", **{"If-None-Match": response.headers["ETag"]}
    )
    assert again.status == 304
    _, page = await read(vod, f"/s/{own['id']}")
    assert "内部课" in page
    assert f"/signin?next=/lectures/{own['id']}" in page
    for hidden in (bound["id"], draft["id"], "0" * 20, "x"):
        response, page = await read(vod, f"/s/{hidden}")
        assert response.status == 404, hidden
        assert "限定课" not in page
        assert "草稿课" not in page
    for kind, head in (("svg", "<"), ("png", "\x89PNG")):
        async with vod.http.get(f"{vod.base}/s/{open_one['id']}/qr.{kind}") as code:
            assert code.status == 200
            assert (await code.read()).decode("latin-1").lstrip().startswith(head)


async def test_feeds_and_the_sitemap_hold_what_everybody_may_watch(vod: Vod) -> None:
    series = await make(vod, "/series", {"title": "党史学习教育"})
    shown = await make_link(vod, title="公开课", visibility="public", series_ids=[series["id"]])
    own = await make_link(vod, title="内部课", visibility="members", series_ids=[series["id"]])
    for made in (shown, own):
        assert (await act(vod, made["id"], "publish")).status == 200
    for path in ("/feeds/lectures.rss", f"/feeds/series/{series['id']}.rss"):
        response, text = await read(vod, path)
        assert (response.status, response.content_type) == (200, "application/rss+xml"), path
        titles = [item.findtext("title") for item in ET.fromstring(text).iter("item")]  # noqa: S314
        assert titles == ["公开课"], path
    for path in ("/feeds/podcast.rss", f"/feeds/series/{series['id']}/podcast.rss"):
        response, text = await read(vod, path)
        assert response.status == 200
        assert not list(ET.fromstring(text).iter("item")), "a link has no sound"  # noqa: S314
    assert (await read(vod, f"/feeds/series/{'0' * 20}.rss"))[0].status == 404
    response, text = await read(vod, "/sitemap.xml")
    parts = [one.text or "" for one in ET.fromstring(text).iter() if one.tag.endswith("loc")]  # noqa: S314
    texts = [(await read(vod, "/sitemap/" + part.rpartition("/")[2]))[1] for part in parts]
    whole = "".join(texts)
    assert f"/lectures/{shown['id']}" in whole
    assert own["id"] not in whole
    assert f"/series/{series['id']}" in whole
    assert (await read(vod, "/robots.txt"))[0].status == 200


async def test_the_calendar_holds_the_public_classes(vod: Vod) -> None:
    at = vod.clock.now().replace(microsecond=0) + timedelta(days=1)
    shown = await vod.add_class(title="公开直播", visibility="public", starts_at=at.isoformat())
    await vod.add_class(title="内部直播", visibility="members", starts_at=at.isoformat())
    response, text = await read(vod, "/calendar.ics")
    assert response.content_type == "text/calendar"
    (event,) = Calendar.from_ical(text).walk("VEVENT")
    assert (str(event["summary"]), event["dtstart"].dt) == ("公开直播", at)
    assert str(event["url"]).endswith(f"/classes/{shown['id']}")
    _, page = await read(vod, f"/s/{shown['id']}")
    assert "直播时间" in page
