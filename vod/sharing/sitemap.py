"""The sitemap and robots.txt as text. Pure. Spec: sitemaps.org, RFC 9309."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from xml.sax.saxutils import escape

MAX_URLS: Final = 50_000  # Of one file, says the protocol; an index holds as many files.
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_SPACE: Final = "http://www.sitemaps.org/schemas/sitemap/0.9"
PLACES: Final = ("", "live", "lectures", "series", "channels")  # Pages that everybody may open.


def render_index(urls: Iterable[str]) -> bytes:
    rows = "".join(f"<sitemap><loc>{escape(url)}</loc></sitemap>\n" for url in urls)
    return f'{_HEAD}<sitemapindex xmlns="{_SPACE}">\n{rows}</sitemapindex>\n'.encode()


def render_urls(rows: Iterable[tuple[str, datetime | None]]) -> bytes:
    """Render one file of addresses with the day of their last change, where that is known."""
    lines = "".join(_render_url(url, changed_at) for url, changed_at in rows)
    return f'{_HEAD}<urlset xmlns="{_SPACE}">\n{lines}</urlset>\n'.encode()


def _render_url(url: str, changed_at: datetime | None) -> str:
    day = f"<lastmod>{changed_at.date().isoformat()}</lastmod>" if changed_at else ""
    return f"<url><loc>{escape(url)}</loc>{day}</url>\n"


def render_robots(*, origin: str) -> bytes:
    """Let robots read pages and feeds; media and the API are not for them.

    Covers stay open: whoever shows a link fetches its picture.
    """
    closed = ("/api/", "/signed/", "/live/", "/channel/", "/desk/", "/admin/", "/studio")
    lines = ["User-agent: *", "Allow: /api/v1/series/*/cover", "Allow: /live$"]
    lines += [f"Disallow: {path}" for path in closed]
    return "\n".join([*lines, "", f"Sitemap: {origin}/sitemap.xml", ""]).encode()
