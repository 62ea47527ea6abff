"""Bring a course list in: each row by itself, the same file twice changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError, HallError, InputError
from vod.accounts.roles import Viewer, Visibility
from vod.audit.service import record
from vod.courselist.listing import BATCH_COUNT, present_rows
from vod.courselist.rows import (
    KINDS,
    TITLES,
    VISIBILITIES,
    CourseRow,
    RowError,
    is_equal,
)
from vod.db.engine import Database
from vod.lectures import schemas as lectures
from vod.lectures.models import Lecture, LectureState
from vod.lectures.publication import LectureKind, Publication
from vod.lectures.service import count_version, note
from vod.lectures.writing import write_entry
from vod.library.forms.models import LectureForm
from vod.library.models import Instructor
from vod.series.models import Series

MAX_ERRORS: Final = 200  # Told; all are counted.
_PLAIN: Final = (
    "external_id", "external_url", "source_label", "licence", "description", "hours", "review_by",
    "tags",
)  # fmt: skip


@dataclass(slots=True)
class Outcome:
    """What a list did, or would do."""

    counts: Counter[str] = field(default_factory=Counter)
    errors: list[RowError] = field(default_factory=list)

    def fail(self, error: RowError) -> None:
        self.counts["failed"] += 1
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(error)


@dataclass(frozen=True, slots=True)
class _Names:
    """Identifiers by what people call things; names that two have lead nowhere."""

    forms: Mapping[str, str]
    instructors: Mapping[str, str | None]
    series: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class _Known:
    """The lectures that a list is about, as they were before it."""

    by_id: Mapping[str, Lecture]
    by_external_id: Mapping[str, Lecture]
    rows: Mapping[str, Mapping[str, Any]]

    def find(self, row: CourseRow) -> Lecture | None:
        """The lecture that a row is about: by our identifier first, then by its number."""
        own_id = row.values.get("id")
        if own_id is None:
            return self.by_external_id.get(row.values["external_id"])
        if own_id not in self.by_id:
            raise _RowRefusedError("id", "没有这个系统编号的课程")
        return self.by_id[own_id]


class _RowRefusedError(Exception):
    def __init__(self, column: str, sentence: str) -> None:
        super().__init__(sentence)
        self.column, self.sentence = column, sentence


class _DryRunError(Exception):
    """Takes everything back at the end of a dry run."""


async def bring_in(
    database: Database,
    rows: Sequence[CourseRow],
    *,
    is_dry_run: bool,
    viewer: Viewer,
    now: datetime,
) -> Outcome:
    """Insert, update, or leave alone; rows that are wrong are left out and told of."""
    outcome = Outcome()
    try:
        async with database.write() as session:
            names = await _load_names(session)
            known = await _load_known(session, rows)
            seen: set[str] = set()
            for row in rows:
                await _bring_one(
                    session, row, known, names, seen=seen, outcome=outcome, viewer=viewer, now=now
                )
            _keep_unless(is_dry_run)
            record(
                session,
                now=now,
                actor_id=viewer.account_id,
                action="course_list.imported",
                object_type="course_list",
                object_id="",
                **outcome.counts,
            )
    except _DryRunError:
        pass
    return outcome


def _keep_unless(is_dry_run: bool) -> None:  # noqa: FBT001 - it is all that this is about
    if is_dry_run:
        raise _DryRunError


def _require_key(row: CourseRow, seen: set[str]) -> None:
    key = str(row.values.get("id") or row.values.get("external_id") or "")
    if not key:
        raise _RowRefusedError("external_id", "编号不能为空")
    if key in seen:
        raise _RowRefusedError("external_id", "这个编号在文件里出现了两次")
    seen.add(key)


async def _bring_one(
    session: AsyncSession,
    row: CourseRow,
    known: _Known,
    names: _Names,
    *,
    seen: set[str],
    outcome: Outcome,
    viewer: Viewer,
    now: datetime,
) -> None:
    try:
        _require_key(row, seen)
        async with session.begin_nested():
            done = await _write(session, row, known, names, viewer=viewer, now=now)
        outcome.counts[done] += 1
    except _RowRefusedError as error:
        outcome.fail(RowError(row.number, TITLES[error.column], error.sentence))
    except ValidationError as error:
        name = str(error.errors(include_url=False)[0]["loc"][0])
        outcome.fail(RowError(row.number, TITLES.get(name, name), "内容不符合要求"))
    except (InputError, ConflictError) as error:
        column = TITLES.get(getattr(error, "field", None) or "", "")
        outcome.fail(RowError(row.number, column, _say(error)))


def _say(error: HallError) -> str:
    return error.title


async def _write(
    session: AsyncSession,
    row: CourseRow,
    known: _Known,
    names: _Names,
    *,
    viewer: Viewer,
    now: datetime,
) -> str:
    lecture = known.find(row)
    if lecture is not None:
        present = known.rows[lecture.id]
        given = {
            name: value
            for name, value in row.values.items()
            if name != "id" and not is_equal(value, present.get(name))
        }
        if "kind" in given:
            raise _RowRefusedError("kind", "已有课程的类型不能改")
        if not given:
            return "unchanged"
        values = _translate(given, names)
        change = lectures.LectureChange.model_validate(values)
        await count_version(session, lecture, None)
        await write_entry(session, lecture, change.model_dump(exclude_unset=True), now=now)
        detail = change.model_dump(mode="json", exclude_unset=True)
        note(session, lecture.id, "lecture.changed", viewer, now, **detail, is_imported=True)
        return "updated"
    return await _insert(session, row, names, viewer=viewer, now=now)


async def _insert(
    session: AsyncSession, row: CourseRow, names: _Names, *, viewer: Viewer, now: datetime
) -> str:
    kind = KINDS.get(str(row.values.get("kind", "链接")))
    if "title" not in row.values:
        raise _RowRefusedError("title", "新课程要有标题")
    if kind == "media":
        raise _RowRefusedError("kind", "视听课要先上传文件，这里只能改它的信息")
    if kind is None:
        raise _RowRefusedError("kind", "类型只能是：" + "、".join(KINDS))
    if kind == "link" and "external_url" not in row.values:
        raise _RowRefusedError("external_url", "链接要有网址")
    plain = {name: value for name, value in row.values.items() if name not in {"kind", "id"}}
    wanted = lectures.NewLecture.model_validate({**_translate(plain, names), "kind": kind})
    lecture = Lecture(
        title=wanted.title,
        kind=LectureKind(wanted.kind),
        visibility=wanted.visibility or Visibility.MEMBERS,
        state=LectureState.READY,
        publication=Publication.DRAFT,
        recorded_at=now,
        created_at=now,
    )
    session.add(lecture)
    await session.flush()
    values = wanted.model_dump(exclude_unset=True, exclude={"title", "kind", "visibility"})
    await write_entry(session, lecture, values, now=now)
    detail = wanted.model_dump(mode="json", exclude_unset=True)
    note(session, lecture.id, "lecture.created", viewer, now, **detail, is_imported=True)
    return "inserted"


async def _load_known(session: AsyncSession, rows: Sequence[CourseRow]) -> _Known:
    by_id: dict[str, Lecture] = {}
    for column, name in ((Lecture.id, "id"), (Lecture.external_id, "external_id")):
        wanted = sorted({str(row.values[name]) for row in rows if name in row.values})
        for first in range(0, len(wanted), BATCH_COUNT):
            is_meant = column.in_(wanted[first : first + BATCH_COUNT])
            query = select(Lecture).where(is_meant, Lecture.deleted_at.is_(None))
            by_id |= {lecture.id: lecture for lecture in await session.scalars(query)}
    found = list(by_id.values())
    present: dict[str, Mapping[str, Any]] = {}
    for first in range(0, len(found), BATCH_COUNT):
        batch = await present_rows(session, found[first : first + BATCH_COUNT])
        present |= {row["id"]: row for row in batch}
    numbered = {one.external_id: one for one in found if one.external_id is not None}
    return _Known(by_id, numbered, present)


def _translate(given: Mapping[str, Any], names: _Names) -> dict[str, Any]:
    """Turn what people call things into what the catalogue's models take."""
    values: dict[str, Any] = {name: given[name] for name in _PLAIN if name in given}
    if "title" in given:
        values["title"] = given["title"]
    if "visibility" in given:
        visibility = VISIBILITIES.get(given["visibility"])
        if visibility is None:
            raise _RowRefusedError("visibility", "可见范围只能是：" + "、".join(VISIBILITIES))
        values["visibility"] = visibility
    if "form" in given:
        if given["form"] not in names.forms:
            raise _RowRefusedError("form", f"没有“{given['form']}”这种形式")
        values["form"] = names.forms[given["form"]]
    for column, member, known in (
        ("instructors", "instructor_ids", names.instructors),
        ("series", "series_ids", names.series),
    ):
        if column in given:
            values[member] = [_look_up(column, name, known) for name in given[column]]
    return values


def _look_up(column: str, name: str, known: Mapping[str, str | None]) -> str:
    if name not in known:
        raise _RowRefusedError(column, f"没有叫“{name}”的{TITLES[column]}")
    found = known[name]
    if found is None:
        raise _RowRefusedError(column, f"叫“{name}”的{TITLES[column]}不止一个，请到页面上选择")
    return found


async def _load_names(session: AsyncSession) -> _Names:
    forms = (await session.execute(select(LectureForm.name, LectureForm.key))).tuples()
    teachers = (await session.execute(select(Instructor.name, Instructor.id))).tuples()
    series = (await session.execute(select(Series.title, Series.id))).tuples()
    return _Names(dict(forms.all()), _settle(teachers.all()), _settle(series.all()))


def _settle(pairs: Sequence[tuple[str, str]]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name, key in pairs:
        found[name] = None if name in found else key
    return found
