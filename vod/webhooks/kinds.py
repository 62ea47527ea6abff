"""What can happen, and the words that others are told of it in. Pure."""

from __future__ import annotations

import enum
import json
from datetime import datetime
from typing import Any, Final


class EventKind(enum.Enum):
    """What happened, in the past tense. Values are part of the API and never change."""

    LECTURE_PUBLISHED = "lecture.published"
    CLASS_STARTED = "class.started"
    CLASS_ENDED = "class.ended"
    REPLAY_READY = "replay.ready"
    NOTICE_SENT = "notice.sent"
    JOB_FAILED = "job.failed"
    WEBHOOK_DISABLED = "webhook.disabled"
    """A receiver was switched off because it did not answer for days: for the operator only."""
    PING = "ping"
    """The test that an administrator sends."""


# What a webhook may ask for.
SUBSCRIBABLE: Final = tuple(
    kind for kind in EventKind if kind not in {EventKind.PING, EventKind.WEBHOOK_DISABLED}
)

# Where people look at what the event is about.
_PAGES: Final = {
    EventKind.LECTURE_PUBLISHED: "/lectures/{}",
    EventKind.CLASS_STARTED: "/classes/{}",
    EventKind.CLASS_ENDED: "/classes/{}",
    EventKind.REPLAY_READY: "/lectures/{}",
    EventKind.NOTICE_SENT: "/notices/{}",
    EventKind.JOB_FAILED: "/desk/jobs/{}",
}


def build_url(kind: EventKind, subject_id: str, *, origin: str) -> str:
    """Build the address of the page about it; that of the house when there is none."""
    return origin + _PAGES.get(kind, "/").format(subject_id)


def build_body(
    kind: EventKind, subject_id: str, data: dict[str, Any], *, at: datetime, origin: str
) -> str:
    """Build the body of a delivery: ``{type, timestamp, data}``, the same at every attempt.

    Args:
        data: JSON values only, nothing about persons.

    Spec: Standard Webhooks, "Payload structure".
    """
    told = {"id": subject_id, **data, "url": build_url(kind, subject_id, origin=origin)}
    document = {"type": kind.value, "timestamp": at.isoformat(), "data": told}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
