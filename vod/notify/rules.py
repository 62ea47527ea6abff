"""Which messages an event makes, and to whom. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from vod.notify.port import Message
from vod.webhooks.kinds import EventKind, build_url

SUBJECT_CHARS: Final = 200
OPEN_TO_ALL: Final = "public"


@dataclass(frozen=True, slots=True)
class Recipients:
    """Who is told of what.

    Attributes:
        alerts: The operator: failed jobs, receivers that were switched off.
        notices: Editors and accounts that post: every notice that members see.
    """

    alerts: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


def build_messages(
    kind: EventKind, subject_id: str, data: dict[str, Any], recipients: Recipients, *, origin: str
) -> list[Message]:
    """Build what is sent of one event; most make nothing.

    A notice for members only is told to editors, and not posted where everybody reads it.
    """
    url = build_url(kind, subject_id, origin=origin)
    title = str(data.get("title", ""))
    if kind is EventKind.NOTICE_SENT:
        text = f"{data.get('summary') or title}\n\n{url}"
        is_open = data.get("visibility") == OPEN_TO_ALL
        to = [one for one in recipients.notices if is_open or not _is_posting(one)]
        return _address(to, title, text)
    if kind is EventKind.JOB_FAILED:
        text = (
            f"课程《{title}》的处理任务失败，需要您查看。\n"
            f"原因：{data.get('reason') or '未说明'}\n\n{url}"
        )
        return _address(recipients.alerts, f"处理失败：{title}", text)
    if kind is EventKind.WEBHOOK_DISABLED:
        text = (
            f"Webhook {data.get('url', '')} 连续多日无法送达，系统已将它停用。\n"
            f"最后一次的原因：{data.get('reason', '')}\n\n{origin}/admin/webhooks"
        )
        return _address(recipients.alerts, "一个 Webhook 已停用", text)
    return []


def _is_posting(recipient: str) -> bool:
    return recipient in {"wechat:draft", "wechat:publish"}


def _address(to: list[str] | tuple[str, ...], subject: str, text: str) -> list[Message]:
    line = " ".join(subject.split())[:SUBJECT_CHARS]
    return [Message(to=one, subject=line, text=text) for one in to]
