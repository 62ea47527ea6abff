"""The WeChat official account: templates or customer messages to one, articles for all.

Its answers are HTTP 200 with an ``errcode``; what it means is decided here.

Spec: developers.weixin.qq.com, Official Accounts: "获取稳定版接口调用凭据", "发送模板消息",
"客服接口-发消息", "新建草稿", "发布接口".
"""

from __future__ import annotations

import asyncio
import html
import json
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from kernel.clock import Clock
from kernel.errors import DependencyError
from vod.notify.port import WECHAT, WECHAT_DRAFT, WECHAT_PUBLISH, Message

DEADLINE_S: Final = 10.0
MARGIN_S: Final = 300.0  # A token is renewed so long before its end, as its documentation says.
MAX_ANSWER_BYTES: Final = 64 * 1024
THING_CHARS: Final = 20  # Longest value of a ``thing`` of a template.
TITLE_CHARS: Final = 32  # Of an article, by the documentation of drafts (since 2025; before 64).
DIGEST_CHARS: Final = 120
TOKEN_CODES: Final = frozenset(
    {40001, 40014, 42001}
)  # The token is wrong or over: a new one helps.
# Busy, limits of the minute or the day, an address that is not on the list yet.
RETRY_CODES: Final = frozenset({-1, 40164, 45009, 45011, 50002, 61024})


@dataclass(frozen=True, slots=True)
class WechatAccount:
    """An official account.

    Attributes:
        api: Where its API is; ``https://api.weixin.qq.com``.
        template_id: Messages to one person use it; else they are customer messages, which only
            reach whoever wrote to the account within two days.
        template_fields: Names of the template's fields for subject and text.
        cover: ``media_id`` of the picture that articles get; needed for these.
    """

    app_id: str
    secret: str
    api: str
    template_id: str | None = None
    template_fields: tuple[str, str] = ("thing1", "thing2")
    cover: str | None = None


class WechatNotifier:
    """Calls the API of one account; keeps its token while it is good."""

    def __init__(self, account: WechatAccount, http: aiohttp.ClientSession, clock: Clock) -> None:
        self._account = account
        self._http = http
        self._clock = clock
        self._token = ""
        self._renew_at_s = 0.0
        self._turn = asyncio.Lock()

    async def send(self, message: Message) -> None:
        """See the port. Who does not follow the account, or refused it, is not tried again."""
        if message.to in {WECHAT_DRAFT, WECHAT_PUBLISH}:
            await self._post_article(message, is_published=message.to == WECHAT_PUBLISH)
            return
        open_id = message.to.removeprefix(WECHAT)
        if self._account.template_id:
            body = build_template(self._account, open_id, message)
            await self._call("/cgi-bin/message/template/send", body)
        else:
            await self._call("/cgi-bin/message/custom/send", build_customer(open_id, message))

    async def _post_article(self, message: Message, *, is_published: bool) -> None:
        if not self._account.cover:
            raise DependencyError("wechat: an article needs a cover", retryable=False)
        added = await self._call("/cgi-bin/draft/add", build_draft(self._account.cover, message))
        media_id = added.get("media_id")
        if not isinstance(media_id, str):
            raise DependencyError("wechat: the draft has no media_id")
        if is_published:
            await self._call("/cgi-bin/freepublish/submit", {"media_id": media_id})

    async def _call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Call with the token; once more with a new one where it is refused."""
        answer = await self._post(f"{path}?access_token={await self._find_token()}", body)
        if answer.get("errcode") in TOKEN_CODES:
            token = await self._find_token(refused=self._token)
            answer = await self._post(f"{path}?access_token={token}", body)
        check_answer(path, answer)
        return answer

    async def _find_token(self, *, refused: str | None = None) -> str:
        """Return a good token; of several that ask at once one fetches it."""
        async with self._turn:
            is_good = bool(self._token) and self._clock.monotonic_s() < self._renew_at_s
            if is_good and self._token != refused:
                return self._token
            answer = await self._post(
                "/cgi-bin/stable_token",
                {
                    "grant_type": "client_credential",
                    "appid": self._account.app_id,
                    "secret": self._account.secret,
                    "force_refresh": refused is not None,
                },
            )
            check_answer("/cgi-bin/stable_token", answer)
            token, expires_in = answer.get("access_token"), answer.get("expires_in")
            if not isinstance(token, str) or not isinstance(expires_in, int):
                raise DependencyError("wechat: no access_token in the answer")
            self._token = token
            self._renew_at_s = self._clock.monotonic_s() + max(expires_in - MARGIN_S, 0)
            return token

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        # Escaped characters would be shown as they are in customer messages.
        sent = json.dumps(body, ensure_ascii=False).encode()
        try:
            async with self._http.post(
                self._account.api + path,
                data=sent,
                headers={"Content-Type": "application/json"},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=DEADLINE_S),
            ) as response:
                raw = await response.content.read(MAX_ANSWER_BYTES)
                answer = json.loads(raw)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            # The error may hold the address, and that the token.
            raise DependencyError(
                f"wechat: {path.partition('?')[0]}: {type(error).__name__}"
            ) from error
        if not isinstance(answer, dict):
            raise DependencyError("wechat: the answer is no object")
        return answer


def check_answer(path: str, answer: dict[str, Any]) -> None:
    """Refuse an answer with an ``errcode``; a missing one is success. Pure.

    Raises:
        DependencyError: Retryable for busy servers, limits, tokens and the list of addresses.
    """
    code = answer.get("errcode", 0)
    if code == 0:
        return
    detail = f"wechat: {path}: {code} {answer.get('errmsg', '')}"[:300]
    raise DependencyError(detail, retryable=code in RETRY_CODES | TOKEN_CODES)


def build_template(account: WechatAccount, open_id: str, message: Message) -> dict[str, Any]:
    """Build a template message; values are cut to what a ``thing`` may hold. Pure."""
    subject, text = (_cut(one, THING_CHARS) for one in (message.subject, message.text))
    first, second = account.template_fields
    body: dict[str, Any] = {
        "touser": open_id,
        "template_id": account.template_id,
        "data": {first: {"value": subject}, second: {"value": text}},
    }
    if (url := find_url(message.text)) is not None:
        body["url"] = url
    if message.key:
        body["client_msg_id"] = message.key  # It refuses the same one twice.
    return body


def build_customer(open_id: str, message: Message) -> dict[str, Any]:
    """Build a customer message. Pure."""
    content = f"{message.subject}\n\n{message.text}"
    return {"touser": open_id, "msgtype": "text", "text": {"content": content}}


def build_draft(cover: str, message: Message) -> dict[str, Any]:
    """Build an article: paragraphs of plain text, nothing in it is markup. Pure."""
    paragraphs = [html.escape(line) for line in message.text.splitlines() if line.strip()]
    article: dict[str, Any] = {
        "article_type": "news",
        "title": _cut(message.subject, TITLE_CHARS),
        "digest": _cut(message.text, DIGEST_CHARS),
        "content": "".join(f"<p>{line}</p>" for line in paragraphs),
        "thumb_media_id": cover,
        "need_open_comment": 0,
    }
    if (url := find_url(message.text)) is not None:
        article["content_source_url"] = url
    return {"articles": [article]}


def find_url(text: str) -> str | None:
    """Find the address that stands on the last line of a message, if there is one. Pure."""
    last = text.rstrip().rpartition("\n")[2].strip()
    return last if last.startswith(("https://", "http://")) and " " not in last else None


def _cut(text: str, count: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= count else line[: count - 1] + "…"
