"""The port of messages: who sends one, and what is sent. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Protocol

WECHAT: Final = "wechat:"
WECHAT_DRAFT: Final = "wechat:draft"
"""An article among the drafts of the official account: a person sends it to the followers."""
WECHAT_PUBLISH: Final = "wechat:publish"
"""The same, published at once."""
_MAIL: Final = re.compile(r"[^\s@<>,;:\"\\()\[\]\x00-\x20\x7f]{1,64}@[A-Za-z0-9.-]{1,253}")
_WECHAT: Final = re.compile(r"wechat:(draft|publish|[A-Za-z0-9_-]{6,64})")


@dataclass(frozen=True, slots=True)
class Message:
    """A message to one recipient.

    Attributes:
        to: See :func:`is_recipient`.
        subject: One line.
        text: Plain text.
        key: The same at every attempt; where the way allows, the recipient sees one only.
    """

    to: str
    subject: str
    text: str
    key: str = ""


class Notifier(Protocol):
    """Port: one way to people elsewhere."""

    async def send(self, message: Message) -> None:
        """Hand ``message`` over.

        Raises:
            DependencyError: It was not taken; ``retryable`` tells whether trying again can help.
        """


def is_recipient(text: str) -> bool:
    """Tell whether ``text`` is ``name@host`` or ``wechat:OPENID|draft|publish``."""
    return bool(_MAIL.fullmatch(text) or _WECHAT.fullmatch(text))


def is_wechat(recipient: str) -> bool:
    return recipient.startswith(WECHAT)


def mask_recipient(recipient: str) -> str:
    """Leave of an address what tells it from others: ``z***@host``, ``wechat:oABC***``."""
    if is_wechat(recipient):
        return recipient if recipient in {WECHAT_DRAFT, WECHAT_PUBLISH} else recipient[:11] + "***"
    name, _, host = recipient.rpartition("@")
    return f"{name[:1]}***@{host}"
