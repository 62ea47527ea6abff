"""Hand in, pass, reject, publish, withdraw. Owns its transactions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError, InputError, NotAllowedError
from vod.accounts.models import Account
from vod.accounts.roles import Role, Viewer
from vod.audit.service import record
from vod.db.engine import Database
from vod.http.pagination import PageQuery, load_page
from vod.jobs.queries import change
from vod.lectures.models import Lecture
from vod.lectures.publication import Publication
from vod.lectures.service import load_lecture
from vod.library import policy
from vod.library.models import ReviewDeed, ReviewEntry, ReviewPolicy
from vod.library.policy import LibraryAction, ReviewStep, may_in_library
from vod.library.review import schemas
from vod.library.review.states import Move, Standing, move
from vod.material.access import load_owner_ids
from vod.notices.drafting import draft_notice
from vod.webhooks.emit import emit_lecture
from vod.webhooks.kinds import EventKind

DEEDS = {
    Move.SUBMIT: ReviewDeed.SUBMITTED,
    Move.APPROVE: ReviewDeed.APPROVED,
    Move.REJECT: ReviewDeed.REJECTED,
    Move.RETRACT: ReviewDeed.RETRACTED,
}
ACTIONS = {
    Move.SUBMIT: "lecture.submitted",
    Move.APPROVE: "lecture.approved",
    Move.REJECT: "lecture.rejected",
    Move.RETRACT: "lecture.retracted",
    Move.PUBLISH: "lecture.published",
    Move.WITHDRAW: "lecture.withdrawn",
}


async def load_policy(session: AsyncSession) -> ReviewPolicy:
    """The one row that the migration made."""
    return (await session.execute(select(ReviewPolicy))).scalar_one()


def read_steps(row: ReviewPolicy) -> list[ReviewStep]:
    return [ReviewStep(step["name"], tuple(step.get("reviewers", ()))) for step in row.steps]


async def is_reviewed(session: AsyncSession) -> bool:
    """Nothing gets to the members without review."""
    return bool((await load_policy(session)).steps)


async def change_policy(
    database: Database, wanted: schemas.WantedPolicy, *, viewer: Viewer, now: datetime
) -> ReviewPolicy:
    """Set the steps; what is in review goes on with the new ones.

    Raises:
        ConflictError: Somebody else has changed them since.
        InputError: 422, a reviewer who is no editor.
    """
    reviewers = {one for step in wanted.steps for one in step.reviewers}
    async with database.write() as session:
        found = await session.scalars(
            select(Account.id).where(
                Account.id.in_(reviewers),
                Account.role.in_([Role.EDITOR, Role.ADMIN]),
                Account.is_disabled.is_(False),
            )
        )
        if missing := reviewers - set(found):
            raise InputError(
                f"steps: {min(missing)} is no editor",
                field="steps",
                status=422,
                title_zh="审核人必须是编辑或管理员",
            )
        steps = [step.model_dump(mode="json") for step in wanted.steps]
        statement = update(ReviewPolicy).where(ReviewPolicy.version == wanted.version)
        values = {"steps": steps, "is_by_others": wanted.is_by_others}
        if await change(session, statement.values(**values, version=wanted.version + 1)) != 1:
            raise ConflictError("the steps were changed meanwhile")
        record(
            session,
            now=now,
            actor_id=viewer.account_id,
            action="review.steps_changed",
            object_type="review_policy",
            object_id="1",
            **values,
        )
        return await load_policy(session)


async def make_move(
    database: Database,
    wanted: schemas.WantedMove,
    *,
    lecture_id: str,
    viewer: Viewer,
    now: datetime,
) -> None:
    """Move a lecture on its way; of two at once one wins.

    Raises:
        NotFoundError: No such lecture, or the viewer may not know of it.
        NotAllowedError: It is not for the viewer to do.
        ConflictError: There is no such way from where it is.
        InputError: 422, rejected without a reason, or withdrawn before it is published.
    """
    _check(wanted, now)
    async with database.write() as session:
        lecture = await load_lecture(session, lecture_id, viewer)
        await session.refresh(lecture, with_for_update=True)
        rules = await load_policy(session)
        context = (await load_contexts(session, [lecture]))[lecture_id]
        steps = read_steps(rules)
        if wanted.move not in find_moves(lecture, steps, context, viewer, rules.is_by_others):
            raise NotAllowedError(
                f"{wanted.move.value} is not for this account now", title_zh="您不能进行这一步操作"
            )
        before = _read_standing(lecture, wanted)
        after = move(before, wanted.move, steps_count=len(steps), now=now)
        lecture.publication, lecture.review_step = after.publication, after.step
        lecture.publish_at, lecture.withdraw_at = after.publish_at, after.withdraw_at
        _note(session, lecture, wanted, steps, before.step, viewer=viewer, now=now)
        if after.publication is Publication.PUBLISHED:
            emit_lecture(session, EventKind.LECTURE_PUBLISHED, lecture, now=now)
            await draft_notice(
                session, kind="lecture", subject_id=lecture.id, actor_id=viewer.account_id, now=now
            )


def _check(wanted: schemas.WantedMove, now: datetime) -> None:
    if wanted.move is Move.REJECT and not wanted.reason:
        raise InputError("reason: say why", field="reason", status=422, title_zh="请写明退回的原因")
    if wanted.withdraw_at is not None and wanted.withdraw_at <= (wanted.publish_at or now):
        raise InputError(
            "withdraw_at: before it is published",
            field="withdraw_at",
            status=422,
            title_zh="下架时间要晚于发布时间",
        )


def _read_standing(lecture: Lecture, wanted: schemas.WantedMove) -> Standing:
    """Dates come with handing in and publishing; the rest keeps those that were wished."""
    is_dated = wanted.move in {Move.SUBMIT, Move.PUBLISH}
    return Standing(
        publication=lecture.publication,
        step=lecture.review_step,
        publish_at=wanted.publish_at if is_dated else lecture.publish_at,
        withdraw_at=wanted.withdraw_at if is_dated else lecture.withdraw_at,
    )


def _note(
    session: AsyncSession,
    lecture: Lecture,
    wanted: schemas.WantedMove,
    steps: Sequence[ReviewStep],
    step: int,
    *,
    viewer: Viewer,
    now: datetime,
) -> None:
    name = steps[step].name if step < len(steps) else ""
    if wanted.move in DEEDS:
        session.add(
            ReviewEntry(
                lecture_id=lecture.id,
                at=now,
                actor_id=viewer.account_id,
                deed=DEEDS[wanted.move],
                step=step,
                step_name=name,
                reason=wanted.reason,
            )
        )
    record(
        session,
        now=now,
        actor_id=viewer.account_id,
        action=ACTIONS[wanted.move],
        object_type="lecture",
        object_id=lecture.id,
        title=lecture.title,
        step=name,
        **wanted.model_dump(mode="json", exclude={"move"}, exclude_defaults=True),
    )


# ---- what may be done now, and what was done ----


class Context:
    """Beside the row: whose it is and its history, oldest first, with names."""

    def __init__(self, owner_ids: set[str]) -> None:
        self.owner_ids = owner_ids
        self.entries: list[tuple[ReviewEntry, str | None]] = []

    @property
    def earlier_ids(self) -> list[str | None]:
        """Who handed it in this time, and who passed the steps since."""
        ids: list[str | None] = []
        for entry, _ in self.entries:
            if entry.deed is ReviewDeed.SUBMITTED:
                ids = []
            ids.append(entry.actor_id)
        return ids


async def load_contexts(session: AsyncSession, lectures: Sequence[Lecture]) -> dict[str, Context]:
    """Load the contexts of lectures in two queries."""
    owners = await load_owner_ids(session, lectures)
    contexts: defaultdict[str, Context] = defaultdict(lambda: Context(set()))
    for lecture in lectures:
        contexts[lecture.id] = Context(owners[lecture.id])
    rows = await session.execute(
        select(ReviewEntry, Account.display_name)
        .outerjoin(Account, Account.id == ReviewEntry.actor_id)
        .where(ReviewEntry.lecture_id.in_(list(contexts)))
        .order_by(ReviewEntry.at, ReviewEntry.id)
    )
    for entry, name in rows.tuples():
        contexts[entry.lecture_id].entries.append((entry, name))
    return contexts


def find_moves(
    lecture: Lecture,
    steps: Sequence[ReviewStep],
    context: Context,
    viewer: Viewer,
    is_by_others: bool,  # noqa: FBT001 - of the policy row, as it is
) -> list[Move]:
    """Find what the viewer may do with the lecture now. Pure."""
    may_submit = policy.may_submit(viewer, context.owner_ids)
    may_publish = may_in_library(viewer, LibraryAction.PUBLISH)
    state = lecture.publication
    if state is Publication.IN_REVIEW:
        step = steps[lecture.review_step] if lecture.review_step < len(steps) else ReviewStep("")
        may_pass = policy.may_review(
            viewer, step, earlier_ids=context.earlier_ids, is_by_others=is_by_others
        )
        passing = [Move.APPROVE, Move.REJECT] if may_pass else []
        return [*passing, *([Move.RETRACT] if may_submit else [])]
    if state in {Publication.DRAFT, Publication.WITHDRAWN}:
        if steps:
            return [Move.SUBMIT] if may_submit else []
        return [Move.PUBLISH] if may_publish else []
    return [Move.PUBLISH, Move.WITHDRAW] if may_publish else []


async def load_queue(
    session: AsyncSession, page: PageQuery, viewer: Viewer
) -> tuple[list[schemas.Standing], int]:
    """Load what is in review, longest waiting first."""
    query = (
        select(Lecture)
        .where(Lecture.publication == Publication.IN_REVIEW, Lecture.deleted_at.is_(None))
        .order_by(Lecture.created_at, Lecture.id)
    )
    lectures, total = await load_page(session, query, page)
    return await present_standings(session, lectures, viewer), total


async def present_standings(
    session: AsyncSession, lectures: Sequence[Lecture], viewer: Viewer
) -> list[schemas.Standing]:
    """Build the answers in three queries."""
    rules = await load_policy(session)
    steps = read_steps(rules)
    contexts = await load_contexts(session, lectures)
    return [
        schemas.Standing(
            lecture_id=lecture.id,
            title=lecture.title,
            publication=lecture.publication,
            publish_at=lecture.publish_at,
            withdraw_at=lecture.withdraw_at,
            step=lecture.review_step,
            step_name=_name_step(lecture, steps),
            steps=[step.name for step in steps],
            moves=find_moves(lecture, steps, contexts[lecture.id], viewer, rules.is_by_others),
            history=[_present_entry(*entry) for entry in contexts[lecture.id].entries],
        )
        for lecture in lectures
    ]


def _name_step(lecture: Lecture, steps: Sequence[ReviewStep]) -> str | None:
    is_waiting = lecture.publication is Publication.IN_REVIEW and lecture.review_step < len(steps)
    return steps[lecture.review_step].name if is_waiting else None


def _present_entry(entry: ReviewEntry, name: str | None) -> schemas.ReviewEntry:
    return schemas.ReviewEntry(
        at=entry.at,
        actor_name=name,
        deed=entry.deed,
        step=entry.step,
        step_name=entry.step_name,
        reason=entry.reason,
    )
