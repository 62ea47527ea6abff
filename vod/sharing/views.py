"""Share pages, QR codes, feeds, the calendar, the sitemap: what strangers and programs read.

Outside ``/api``: people follow these addresses, feed readers and search engines keep them.
"""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Final

from aiohttp import hdrs, web

from kernel.errors import NotFoundError
from kernel.ids import is_id
from vod.http.keys import BLOBS, CLOCK, DATABASE
from vod.http.origin import read_origin
from vod.playback.answers import respond_text
from vod.playback.library import RenderedText
from vod.sharing import codes, feeds, queries, sitemap, timetable
from vod.sharing.cards import SITE_SUMMARY, SITE_TITLE, AudioFile, Card
from vod.sharing.page import POLICY, render_missing, render_page

PAGE_S: Final = 60
FEED_S: Final = 300
CODE_S: Final = 86_400
FEED_COUNT: Final = 50
SERIES_COUNT: Final = 500
CLASS_COUNT: Final = 500
PAST: Final = timedelta(days=30)  # Of the calendar.
MAX_KNOWN_SIZES: Final = 4_096
HTML: Final = "text/html; charset=utf-8"
RSS: Final = "application/rss+xml; charset=utf-8"
JSON: Final = "application/feed+json; charset=utf-8"
XML: Final = "application/xml; charset=utf-8"
_NUMBER: Final = re.compile(r"[0-9]{1,4}")


async def get_page(request: web.Request) -> web.StreamResponse:
    """``/s/{id}``: a page without script for messengers; a dead link is told in words."""
    origin, subject_id = read_origin(request), request.match_info["id"]
    headers = {"Content-Security-Policy": POLICY}
    try:
        async with request.app[DATABASE].read() as session:
            card = await queries.find_card(session, _read_id(subject_id))
            inside: Sequence[Card] = ()
            if card.kind == "series":
                _, inside = await queries.load_series(
                    session, card.id, limit=SERIES_COUNT, is_open=False
                )
    except NotFoundError:
        return web.Response(
            status=HTTPStatus.NOT_FOUND,
            body=render_missing(origin=origin),
            headers={**headers, hdrs.CONTENT_TYPE: HTML, hdrs.CACHE_CONTROL: "no-cache"},
        )
    answer = await _answer(
        request, partial(render_page, card, origin=origin, lectures=inside), HTML, PAGE_S
    )
    answer.headers.update(headers)
    return answer


async def get_code(request: web.Request) -> web.StreamResponse:
    """``/s/{id}/qr.svg`` and ``qr.png``: the address of the page, to be read by a camera."""
    async with request.app[DATABASE].read() as session:
        card = await queries.find_card(session, _read_id(request.match_info["id"]))
    url = read_origin(request) + card.share_path
    is_svg = request.match_info["kind"] == "svg"
    body = await asyncio.to_thread(codes.render_svg if is_svg else codes.render_png, url)
    return web.Response(
        body=body,
        content_type="image/svg+xml" if is_svg else "image/png",
        headers={hdrs.CACHE_CONTROL: f"public, max-age={CODE_S}"},
    )


async def get_news(request: web.Request) -> web.StreamResponse:
    """``/feeds/lectures.{rss|json}`` and ``/feeds/podcast.rss``: the newest lectures."""
    name, origin = request.match_info["name"], read_origin(request)
    async with request.app[DATABASE].read() as session:
        cards = await queries.load_news(session, limit=FEED_COUNT)
    channel = feeds.Channel(SITE_TITLE, SITE_SUMMARY, f"{origin}/lectures", _own_url(request))
    if name == "lectures.rss":
        return await _answer(
            request, partial(feeds.render_rss, channel, cards, origin=origin), RSS, FEED_S
        )
    audio = await _load_audio(request, cards)
    render = feeds.render_json if name == "lectures.json" else feeds.render_podcast
    kind = JSON if name == "lectures.json" else RSS
    return await _answer(
        request, partial(render, channel, cards, audio, origin=origin), kind, FEED_S
    )


async def get_series_feed(request: web.Request) -> web.StreamResponse:
    """``/feeds/series/{id}.rss`` and ``/feeds/series/{id}/podcast.rss``: in the series' order."""
    origin, series_id = read_origin(request), _read_id(request.match_info["id"])
    async with request.app[DATABASE].read() as session:
        series, cards = await queries.load_series(
            session, series_id, limit=SERIES_COUNT, is_open=True
        )
    page_url = f"{origin}/series/{series.id}"
    channel = feeds.Channel(series.title, series.text, page_url, _own_url(request))
    if not request.path.endswith("/podcast.rss"):
        return await _answer(
            request, partial(feeds.render_rss, channel, cards, origin=origin), RSS, FEED_S
        )
    audio = await _load_audio(request, cards)
    render = partial(feeds.render_podcast, channel, cards, audio, origin=origin, is_serial=True)
    return await _answer(request, render, RSS, FEED_S)


async def get_calendar(request: web.Request) -> web.StreamResponse:
    """``/calendar.ics``: the public classes of the timetable, to subscribe to."""
    since = request.app[CLOCK].now() - PAST
    async with request.app[DATABASE].read() as session:
        entries = await queries.load_timetable(
            session, since=since, limit=CLASS_COUNT, origin=read_origin(request)
        )
    render = partial(timetable.render_calendar, f"{SITE_TITLE} 课程表", entries)
    return await _answer(request, render, "text/calendar; charset=utf-8", FEED_S)


async def get_sitemap(request: web.Request) -> web.StreamResponse:
    """``/sitemap.xml``: an index of ``/sitemap/{n}.xml`` and ``/sitemap/series.xml``."""
    origin = read_origin(request)
    async with request.app[DATABASE].read() as session:
        count = await queries.count_open(session)
    pages = range(max(1, -(-count // sitemap.MAX_URLS)))
    urls = [f"{origin}/sitemap/series.xml", *(f"{origin}/sitemap/{n}.xml" for n in pages)]
    return await _answer(request, partial(sitemap.render_index, urls), XML, FEED_S)


async def get_sitemap_file(request: web.Request) -> web.StreamResponse:
    """``/sitemap/{n}.xml``: lectures; ``/sitemap/series.xml``: series and the site's own pages."""
    origin, name = read_origin(request), request.match_info["name"]
    async with request.app[DATABASE].read() as session:
        if name == "series":
            own = [(f"{origin}/{place}", None) for place in sitemap.PLACES]
            rows = [*own, *await queries.load_series_urls(session, origin=origin)]
        elif _NUMBER.fullmatch(name):
            rows = await queries.load_sitemap(session, origin=origin, page=int(name))
        else:
            raise NotFoundError("no such part of the sitemap")
    return await _answer(request, partial(sitemap.render_urls, rows), XML, FEED_S)


async def get_robots(request: web.Request) -> web.StreamResponse:
    """``/robots.txt``."""
    render = partial(sitemap.render_robots, origin=read_origin(request))
    return await _answer(request, render, "text/plain; charset=utf-8", FEED_S)


async def _answer(
    request: web.Request, render: Callable[[], bytes], content_type: str, max_age_s: int
) -> web.Response:
    """Render and zip in a thread: a feed of five hundred takes a while."""

    def work() -> RenderedText:
        plain = render()
        return RenderedText(plain, gzip.compress(plain, 5, mtime=0))

    rendered = await asyncio.to_thread(work)
    return respond_text(
        request, rendered, is_public=True, max_age_s=max_age_s, content_type=content_type
    )


async def _load_audio(request: web.Request, cards: Sequence[Card]) -> dict[str, AudioFile]:
    """Sizes of the sound of ``cards``: podcast clients want them before they load anything."""
    known, blobs = request.app[SIZES], request.app[BLOBS]
    found = {}
    for card in cards:
        if card.audio_key is None:
            continue
        if card.audio_key not in known:
            if len(known) >= MAX_KNOWN_SIZES:
                known.clear()
            try:
                known[card.audio_key] = (await blobs.head(card.audio_key)).size_bytes
            except NotFoundError:
                continue  # Replaced this moment; the next reader gets the new one.
        found[card.id] = AudioFile(card.audio_key, known[card.audio_key])
    return found


def _read_id(text: str) -> str:
    if not is_id(text):
        raise NotFoundError("nothing like that to share")
    return text


def _own_url(request: web.Request) -> str:
    return read_origin(request) + request.path


SIZES: Final = web.AppKey("sharing_sizes", dict[str, int])


def prepare_sharing(app: web.Application) -> None:
    """Add what the handlers remember: sizes of immutable files."""
    app[SIZES] = {}


ROUTES: Final = (
    web.get("/s/{id}", get_page),
    web.get("/s/{id}/qr.{kind:(?:svg|png)}", get_code),
    web.get("/feeds/{name:(?:lectures\\.rss|lectures\\.json|podcast\\.rss)}", get_news),
    web.get("/feeds/series/{id}.rss", get_series_feed),
    web.get("/feeds/series/{id}/podcast.rss", get_series_feed),
    web.get("/calendar.ics", get_calendar),
    web.get("/sitemap.xml", get_sitemap),
    web.get("/sitemap/{name}.xml", get_sitemap_file),
    web.get("/robots.txt", get_robots),
)
