r"""How a lecture moves on its way to the members. Pure.

::

    draft --submit--> in_review --approve, last step--> scheduled --clock--> published
      ^  \              |   ^ \__approve, a step is left   |                  |   ^
      |   \--publish----|---|-- where nothing is reviewed -|---------------->|   |
      |_________________|   |                              |                  |   |
        reject, retract     |_______submit_________________withdrawn <--------'   |
                                                               \______publish_____'
                                                             where nothing is reviewed
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from datetime import datetime

from kernel.errors import ConflictError
from vod.lectures.publication import Publication


class Move(enum.Enum):
    """What somebody, or the clock, does."""

    SUBMIT = "submit"
    APPROVE = "approve"
    REJECT = "reject"
    RETRACT = "retract"
    PUBLISH = "publish"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a lecture is.

    Attributes:
        step: How many steps of the review are passed, while ``in_review``; else 0.
    """

    publication: Publication
    step: int = 0
    publish_at: datetime | None = None
    withdraw_at: datetime | None = None


P, M = Publication, Move
_FROM: dict[Move, frozenset[Publication]] = {
    M.SUBMIT: frozenset({P.DRAFT, P.WITHDRAWN}),
    M.APPROVE: frozenset({P.IN_REVIEW}),
    M.REJECT: frozenset({P.IN_REVIEW}),
    M.RETRACT: frozenset({P.IN_REVIEW}),
    M.PUBLISH: frozenset({P.DRAFT, P.WITHDRAWN, P.SCHEDULED, P.PUBLISHED}),
    M.WITHDRAW: frozenset({P.SCHEDULED, P.PUBLISHED}),
}


def move(standing: Standing, how: Move, *, steps_count: int, now: datetime) -> Standing:
    """Move on.

    Args:
        standing: With the wanted ``publish_at`` and ``withdraw_at`` in it already.

    Raises:
        ConflictError: From where it is there is no such way, or it must be reviewed first.
    """
    if standing.publication not in _FROM[how]:
        raise ConflictError(
            f"a {standing.publication.value} lecture cannot {how.value}",
            title_zh="课程的发布状态已经变化,请刷新后再试",
        )
    is_through = standing.publication in {P.SCHEDULED, P.PUBLISHED}
    if how is M.PUBLISH and steps_count > 0 and not is_through:
        raise ConflictError("it must be reviewed first", title_zh="发布前需要先送审")
    if how is M.SUBMIT and steps_count > 0:
        return replace(standing, publication=P.IN_REVIEW, step=0)
    if how in {M.REJECT, M.RETRACT}:
        return replace(standing, publication=P.DRAFT, step=0)
    if how is M.WITHDRAW:
        return replace(standing, publication=P.WITHDRAWN, publish_at=None, withdraw_at=None)
    if how is M.APPROVE and standing.step + 1 < steps_count:
        return replace(standing, step=standing.step + 1)
    return _let_through(standing, now)


def _let_through(standing: Standing, now: datetime) -> Standing:
    is_later = standing.publish_at is not None and standing.publish_at > now
    return replace(
        standing,
        publication=P.SCHEDULED if is_later else P.PUBLISHED,
        publish_at=standing.publish_at if is_later else None,
        step=0,
    )
