"""Share pages, codes, feeds and calendars as text: nothing of what is put in becomes markup."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from icalendar import Calendar

from vod.sharing import codes, feeds, sitemap, timetable
from vod.sharing.cards import AudioFile, Card, format_duration, read_text, shorten
from vod.sharing.page import render_missing, render_page

AT = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
ORIGIN = "https://hall.example"
NASTY = "</title><script>alert(1)</script>&\x08\"'"
ITUNES = "{http://www.itunes.com/dtds/podcast-1.0.dtd}"


def make_card(**values: object) -> Card:
    given: dict[str, object] = {
        "kind": "lecture", "id": "a" * 20, "title": "第一讲", "text": "从嘉兴说起",
        "created_at": AT, "cover_path": "/media/x/poster.jpg", "duration_s": 754.0,
        "teachers": ("其其格",), "audio_key": "assets/x/audio.m4a", **values,
    }  # fmt: skip
    return Card(**given)  # type: ignore[arg-type]


def test_a_share_page_names_everything_and_lets_nothing_run() -> None:
    page = render_page(make_card(title=NASTY, text=NASTY), origin=ORIGIN).decode()
    assert "<script" not in page
    assert "\x08" not in page
    assert f'<meta property="og:url" content="{ORIGIN}/s/{"a" * 20}">' in page
    assert f'<meta property="og:image" content="{ORIGIN}/media/x/poster.jpg">' in page
    assert f'href="{ORIGIN}/lectures/{"a" * 20}"' in page
    assert "13 分钟" in page
    assert "其其格" in page


def test_what_is_for_members_leads_over_the_sign_in_and_is_not_indexed() -> None:
    page = render_page(make_card(is_open=False, cover_path=None), origin=ORIGIN).decode()
    assert "noindex" in page
    assert "og:image" not in page
    assert f'href="{ORIGIN}/signin?next=/lectures/{"a" * 20}"' in page
    missing = render_missing(origin=ORIGIN).decode()
    assert "og:title" not in missing
    assert "noindex" in missing


def test_a_podcast_holds_what_can_be_heard_and_is_the_same_bytes_again() -> None:
    cards = [make_card(title=NASTY), make_card(id="b" * 20, audio_key=None)]
    audio = {"a" * 20: AudioFile("assets/x/audio.m4a", 12_345)}
    channel = feeds.Channel("有声党课", "听一听", f"{ORIGIN}/lectures", f"{ORIGIN}/feeds/p.rss")
    first = feeds.render_podcast(channel, cards, audio, origin=ORIGIN)
    assert first == feeds.render_podcast(channel, cards, audio, origin=ORIGIN)
    (item,) = ET.fromstring(first).iter("item")  # noqa: S314 - our own bytes
    enclosure = item.find("enclosure")
    assert enclosure is not None
    assert enclosure.attrib == {
        "url": f"{ORIGIN}/media/{'a' * 20}/audio.m4a", "length": "12345", "type": "audio/x-m4a",
    }  # fmt: skip
    assert item.findtext(f"{ITUNES}duration") in {"754", "00:12:34", "12:34"}
    rss = ET.fromstring(feeds.render_rss(channel, cards, origin=ORIGIN))  # noqa: S314
    assert len(list(rss.iter("item"))) == 2
    listed = json.loads(feeds.render_json(channel, cards, audio, origin=ORIGIN))
    assert listed["version"].endswith("/1.1")
    assert [len(item.get("attachments", ())) for item in listed["items"]] == [1, 0]


def test_an_empty_feed_is_a_feed() -> None:
    channel = feeds.Channel("空", "", f"{ORIGIN}/lectures", f"{ORIGIN}/feeds/lectures.rss")
    feed = ET.fromstring(feeds.render_rss(channel, [], origin=ORIGIN))  # noqa: S314
    assert (feed.tag, feed.findtext("channel/link")) == ("rss", channel.page_url)


def test_a_calendar_is_read_back_in_the_time_of_the_centre() -> None:
    entry = timetable.Entry(
        uid="a@lecture-hall", title="第一讲;,\n二", starts_at=AT, ends_at=None, sequence=0,
        changed_at=AT, url=f"{ORIGIN}/classes/a",
    )  # fmt: skip
    calendar = Calendar.from_ical(timetable.render_calendar("课程表", [entry]))
    (event,) = calendar.walk("VEVENT")
    assert event["dtstart"].dt == AT
    assert event["dtstart"].params["TZID"] == "Asia/Shanghai"
    assert event["dtend"].dt - event["dtstart"].dt == timedelta(hours=1)
    assert str(event["summary"]) == "第一讲;,\n二"


def test_codes_hold_the_address() -> None:
    url = f"{ORIGIN}/s/{'a' * 20}"
    assert not codes.build_code(url).is_micro
    assert codes.render_svg(url).lstrip().startswith(b"<")
    assert codes.render_png(url).startswith(b"\x89PNG")


def test_a_sitemap_escapes_and_robots_keep_out_of_the_api() -> None:
    urls = sitemap.render_urls([(f"{ORIGIN}/a?b&c", AT), (f"{ORIGIN}/d", None)])
    assert ET.fromstring(urls)[0][0].text == f"{ORIGIN}/a?b&c"  # noqa: S314 - our own bytes
    assert b"<lastmod>2026-07-01</lastmod>" in urls
    robots = sitemap.render_robots(origin=ORIGIN).decode()
    assert "Disallow: /api/" in robots
    assert f"Sitemap: {ORIGIN}/sitemap.xml" in robots


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, ""), (20, "20 秒"), (754, "13 分钟"), (3600, "1 小时"), (5400, "1 小时 30 分钟")],
)
def test_lengths_are_said_in_words(seconds: float, said: str) -> None:
    assert format_duration(seconds) == said


def test_texts_are_plain_and_short() -> None:
    assert read_text("", "<p>一 &amp; 二</p><p>三</p>") == "一 & 二\n三"
    assert read_text("写了的", "<p>没用</p>") == "写了的"
    assert shorten("一二三四五", 4) == "一二三…"
