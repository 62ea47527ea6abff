"""RSS, podcast and JSON feeds as text. Pure: a feed depends on its items only, so it has an ETag.

Specs: RSS 2.0, Apple's podcast tags, JSON Feed 1.1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from feedgen.feed import FeedGenerator

from vod.sharing.cards import (
    AUDIO_TYPE,
    FEED_CHARS,
    LANGUAGE,
    SITE_TITLE,
    AudioFile,
    Card,
    clean_text,
    shorten,
)

GENERATOR: Final = "lecture-hall"
EPOCH: Final = datetime(2020, 1, 1, tzinfo=UTC)  # Of feeds without any item.


@dataclass(frozen=True, slots=True)
class Channel:
    """What a feed says of itself; addresses are absolute."""

    title: str
    text: str
    page_url: str
    feed_url: str


def render_rss(channel: Channel, cards: Sequence[Card], *, origin: str) -> bytes:
    """Render what is new, newest first."""
    feed = _start(channel, cards)
    for card in cards:
        _add_item(feed, card, origin)
    return bytes(feed.rss_str())


def render_podcast(
    channel: Channel,
    cards: Sequence[Card],
    audio: Mapping[str, AudioFile],
    *,
    origin: str,
    is_serial: bool = False,
) -> bytes:
    """Render those of ``cards`` whose sound is at hand.

    Args:
        audio: By lecture; without one a lecture is left out.
        is_serial: Episodes are numbered, to be heard from the first on.
    """
    heard = [card for card in cards if card.id in audio]
    feed = _start(channel, heard)
    feed.load_extension("podcast")
    feed.podcast.itunes_author(SITE_TITLE)
    feed.podcast.itunes_summary(_text(channel.text) or _text(channel.title))
    feed.podcast.itunes_explicit("no")
    feed.podcast.itunes_category("Education")
    feed.podcast.itunes_type("serial" if is_serial else "episodic")
    # Apple takes pictures only by these names.
    pictures = (card.cover_path for card in heard if (card.cover_path or "").endswith(".jpg"))
    if picture := next(pictures, None):
        feed.podcast.itunes_image(origin + picture)
    for number, card in enumerate(heard, 1):
        item, sound = _add_item(feed, card, origin), audio[card.id]
        url = f"{origin}/media/{card.id}/audio.m4a"
        item.enclosure(url, str(sound.size_bytes), "audio/x-m4a")
        item.podcast.itunes_duration(max(1, round(card.duration_s)))
        item.podcast.itunes_explicit("no")
        item.podcast.itunes_author(_text("、".join(card.teachers)) or SITE_TITLE)
        if card.cover_path and card.cover_path.endswith(".jpg"):
            item.podcast.itunes_image(origin + card.cover_path)
        if is_serial:
            item.podcast.itunes_episode(number)
    return bytes(feed.rss_str())


def render_json(
    channel: Channel, cards: Sequence[Card], audio: Mapping[str, AudioFile], *, origin: str
) -> bytes:
    """Render the same for programs that would rather not read XML."""
    document = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": channel.title,
        "home_page_url": channel.page_url,
        "feed_url": channel.feed_url,
        "description": channel.text,
        "language": LANGUAGE,
        "items": [_build_item(card, audio.get(card.id), origin) for card in cards],
    }
    return json.dumps(document, ensure_ascii=False).encode()


def _build_item(card: Card, sound: AudioFile | None, origin: str) -> dict[str, object]:
    item: dict[str, object] = {
        "id": _name(card),
        "url": origin + card.share_path,
        "title": card.title,
        "content_text": shorten(card.text, FEED_CHARS) or card.title,
        "date_published": card.created_at.astimezone(UTC).isoformat(),
        "authors": [{"name": name} for name in card.teachers],
    }
    if card.cover_path:
        item["image"] = origin + card.cover_path
    if sound is not None:
        item["attachments"] = [
            {
                "url": f"{origin}/media/{card.id}/audio.m4a",
                "mime_type": AUDIO_TYPE,
                "size_in_bytes": sound.size_bytes,
                "duration_in_seconds": round(card.duration_s),
            }
        ]
    return item


def _start(channel: Channel, cards: Sequence[Card]) -> FeedGenerator:
    feed = FeedGenerator()
    feed.title(_text(channel.title))
    feed.link(href=channel.feed_url, rel="self")
    feed.link(href=channel.page_url, rel="alternate")  # The last one is RSS's own link.
    feed.description(_text(channel.text) or _text(channel.title))
    feed.language(LANGUAGE)
    feed.generator(GENERATOR)
    # Not the moment of asking: the same items are the same bytes.
    feed.lastBuildDate(max((card.created_at for card in cards), default=EPOCH).astimezone(UTC))
    return feed


def _add_item(feed: FeedGenerator, card: Card, origin: str) -> FeedGenerator:
    item = feed.add_entry(order="append")
    item.title(_text(card.title))
    item.link(href=origin + card.share_path)
    item.guid(_name(card), permalink=False)
    item.description(_text(shorten(card.text, FEED_CHARS)) or _text(card.title))
    item.published(card.created_at.astimezone(UTC))
    return item


def _name(card: Card) -> str:
    """What readers know an item by, whatever our address is."""
    return f"urn:lecture-hall:{card.kind}:{card.id}"


def _text(text: str) -> str:
    return clean_text(text).strip()
