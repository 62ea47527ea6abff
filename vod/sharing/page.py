"""The share page as HTML without any script. Pure: jinja2 escapes whatever is put in.

Old web views read it: no grid, no custom properties, type of the size of 长辈版.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from vod.classes.states import ClassState
from vod.sharing.cards import (
    PAGE_CHARS,
    SITE_TITLE,
    SUMMARY_CHARS,
    Card,
    clean_text,
    format_duration,
    shorten,
)

CENTRE: Final = ZoneInfo("Asia/Shanghai")
STYLE: Final = """
*{box-sizing:border-box}
body{margin:0;background:#f7f4ef;color:#1f1a17;font:24px/1.6 -apple-system,"PingFang SC",
"Microsoft YaHei","Noto Sans CJK SC",sans-serif}
main,footer{max-width:680px;margin:0 auto;padding:0 16px}
header{background:#a3161b;color:#fff;padding:16px;font-size:24px;font-weight:bold}
header a{color:#fff;text-decoration:none}
img.cover{display:block;width:100%;height:auto;margin:16px 0 0}
h1{font-size:32px;line-height:1.35;margin:20px 0 8px;word-wrap:break-word}
h2{font-size:27px;margin:28px 0 8px}
p{margin:8px 0;word-wrap:break-word}
p.text{white-space:pre-line}
p.meta,footer{color:#564c45}
a.go{display:block;margin:24px 0;padding:16px;border-radius:8px;background:#a3161b;color:#fff;
font-size:24px;font-weight:bold;text-align:center;text-decoration:none}
a:focus{outline:3px solid #1a5fb4;outline-offset:3px}
ol{padding-left:32px}
li{margin:8px 0}
li a{color:#8c1115}
img.code{display:block;width:200px;height:200px;margin:8px 0}
footer{padding-top:24px;padding-bottom:32px;font-size:22px}
"""
_DIGEST: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY: Final = (
    f"default-src 'none'; img-src 'self'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_TEMPLATE: Final = """<!doctype html>
<html lang="zh-CN" prefix="og: https://ogp.me/ns#">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }} - {{ site }}</title>
{% if not url %}
<meta name="robots" content="noindex">
{% else %}
<meta name="description" content="{{ summary }}">
{% if not card.is_open %}
<meta name="robots" content="noindex">
{% endif %}
<link rel="canonical" href="{{ url }}">
<meta property="og:type" content="{{ og_type }}">
<meta property="og:site_name" content="{{ site }}">
<meta property="og:locale" content="zh_CN">
<meta property="og:title" content="{{ title }}">
<meta property="og:description" content="{{ summary }}">
<meta property="og:url" content="{{ url }}">
<meta name="twitter:card" content="{{ 'summary_large_image' if cover else 'summary' }}">
<meta name="twitter:title" content="{{ title }}">
<meta name="twitter:description" content="{{ summary }}">
{% if cover %}
<meta property="og:image" content="{{ cover }}">
<meta name="twitter:image" content="{{ cover }}">
{% endif %}
{% if feed %}
<link rel="alternate" type="application/rss+xml" title="{{ title }}" href="{{ feed }}">
{% endif %}
{% endif %}
<style>{{ style }}</style>
</head>
<body>
<header><a href="{{ origin }}/">{{ site }}</a></header>
<main>
{% if not url %}
<h1>{{ title }}</h1>
<p>{{ summary }}</p>
<a class="go" href="{{ origin }}/">去首页看看</a>
{% else %}
{% if cover %}
<img class="cover" src="{{ cover }}" alt="">
{% endif %}
<h1>{{ title }}</h1>
{% for line in facts %}
<p class="meta">{{ line }}</p>
{% endfor %}
{% if text %}
<p class="text">{{ text }}</p>
{% endif %}
<a class="go" href="{{ go }}">开始学习</a>
{% if not card.is_open %}
<p class="meta">这里的内容面向会员，登录后就能观看。</p>
{% endif %}
{% if lectures %}
<h2>包含的课程</h2>
<ol>
{% for one in lectures %}
<li><a href="{{ origin }}{{ one.share_path }}">{{ one.title }}</a></li>
{% endfor %}
</ol>
{% endif %}
<h2>用手机学习</h2>
<p>扫一扫二维码，或者长按识别。</p>
<img class="code" src="{{ url }}/qr.svg" alt="这个页面的二维码" width="200" height="200">
{% endif %}
</main>
<footer>{{ site }}</footer>
</body>
</html>
"""
_page: Final = Environment(
    autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
).from_string(_TEMPLATE)
_STATES: Final = {
    ClassState.LIVE: "正在直播",
    ClassState.INTERRUPTED: "正在直播",
    ClassState.ENDED: "直播已经结束",
}


def render_page(card: Card, *, origin: str, lectures: Sequence[Card] = ()) -> bytes:
    """Render the page of ``card``; all its addresses are absolute.

    Args:
        lectures: What a series holds, in order.
    """
    feed = f"{origin}/feeds/series/{card.id}.rss" if card.kind == "series" else None
    whole = clean_text(card.text)
    text = whole if len(whole) <= PAGE_CHARS else whole[: PAGE_CHARS - 1] + "…"
    return _page.render(
        card=card,
        site=SITE_TITLE,
        style=Markup(STYLE),  # noqa: S704 - our own constant; entities have no meaning in CSS
        origin=origin,
        title=clean_text(card.title),
        summary=shorten(whole, SUMMARY_CHARS) or clean_text(card.title),
        text=text,
        facts=list_facts(card),
        url=origin + card.share_path,
        cover=origin + card.cover_path if card.cover_path else None,
        og_type="video.other" if card.kind == "lecture" else "website",
        feed=feed,
        go=origin + card.player_path,
        lectures=lectures,
    ).encode()


def render_missing(*, origin: str) -> bytes:
    """Render what whoever follows a dead link reads; it does not tell why it is dead."""
    return _page.render(
        site=SITE_TITLE,
        style=Markup(STYLE),  # noqa: S704 - as above
        origin=origin,
        title="这个链接打不开",
        summary="它可能写错了，也可能已经下架，或者只对部分会员开放。",
        url="",
    ).encode()


def list_facts(card: Card) -> list[str]:
    """Say who teaches, how long it takes and when it is, one line each."""
    facts = []
    if card.teachers:
        facts.append("讲师:" + "、".join(card.teachers))
    if length := format_duration(card.duration_s):
        facts.append(f"时长：{length}")
    if card.state in _STATES:
        facts.append(_STATES[card.state])
    elif card.starts_at is not None:
        facts.append("直播时间:" + format_moment(card.starts_at))
    return [clean_text(line) for line in facts]


def format_moment(moment: datetime) -> str:
    """Say a moment in the centre's time."""
    local = moment.astimezone(CENTRE)
    return f"{local.year}年{local.month}月{local.day}日 {local:%H:%M}"
