"""``/forms`` and ``/tags`` of the API."""

from __future__ import annotations

from typing import Annotated, Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200
from pydantic import Field
from sqlalchemy import delete, func, select

from kernel.errors import ConflictError, NotAllowedError
from vod.audit.service import record
from vod.http.keys import CLOCK
from vod.http.types import Body, Name, View
from vod.http.view import ApiView, respond
from vod.lectures.models import Lecture
from vod.lectures.visible import build_visible
from vod.library.forms.models import LectureForm, LectureTag
from vod.library.policy import LibraryAction, may_in_library
from vod.library.types import FormKey

MAX_FORMS: Final = 50
MAX_TAGS_LISTED: Final = 200


class Form(Body):
    """One entry of the list of forms; ``key`` stays when the name changes."""

    key: FormKey
    name: Name
    is_offered: bool = True


class FormList(View):
    """In the order in which they are offered."""

    items: list[Form]


class WantedForms(Body):
    """The whole list in order; one that is left out is removed if no lecture has it."""

    items: Annotated[list[Form], Field(min_length=1, max_length=MAX_FORMS)]


class TagCount(View):
    name: str
    lectures_count: int


class TagList(View):
    """Tags that lectures have which one may see, the most frequent first."""

    items: list[TagCount]


class FormsView(ApiView):
    async def get(self) -> r200[FormList]:
        """List the forms of lectures, in order.

        Tags: library
        """
        async with self.database.read() as session:
            rows = await session.scalars(select(LectureForm).order_by(LectureForm.position))
            items = [Form(key=r.key, name=r.name, is_offered=r.is_offered) for r in rows]
        return respond(FormList(items=items))

    async def put(self, body: WantedForms) -> r200[FormList]:
        """Set the list of forms.

        Tags: library
        Status Codes:
            200: As it is now.
            409: Lectures have a form that was left out, or two have the same name.
        """
        actor_id = self.require_account()
        if not may_in_library(self.viewer, LibraryAction.CURATE):
            raise NotAllowedError("only editors change the list of forms")
        keys = [form.key for form in body.items]
        if len(set(keys)) != len(keys) or len({form.name for form in body.items}) != len(keys):
            raise ConflictError("a form comes twice", title_zh="形式的名称或代号重复")
        async with self.database.write() as session:
            used = await session.scalar(
                select(LectureForm.name)
                .join(Lecture, Lecture.form == LectureForm.key)
                .where(LectureForm.key.not_in(keys))
                .limit(1)
            )
            if used is not None:
                raise ConflictError(
                    "a form is in use", title_zh=f"还有课程属于“{used}”,可以停用,不能删除"
                )
            await session.execute(delete(LectureForm).where(LectureForm.key.not_in(keys)))
            known = {row.key: row for row in await session.scalars(select(LectureForm))}
            for row in known.values():  # Names are unique: two that are swapped must not meet.
                row.name = f"\x1f{row.key}"
            await session.flush()
            for position, form in enumerate(body.items):
                row = known.get(form.key) or LectureForm(key=form.key)
                row.name, row.position, row.is_offered = form.name, position, form.is_offered
                session.add(row)
            record(
                session,
                now=self.request.app[CLOCK].now(),
                actor_id=actor_id,
                action="forms.changed",
                object_type="lecture_forms",
                object_id="all",
                items=[form.model_dump(mode="json") for form in body.items],
            )
        return respond(FormList(items=list(body.items)))


class TagsView(ApiView):
    async def get(self) -> r200[TagList]:
        """List tags of lectures that one may see.

        Tags: library
        """
        count = func.count()
        query = (
            select(LectureTag.name, count)
            .join(Lecture, Lecture.id == LectureTag.lecture_id)
            .where(Lecture.deleted_at.is_(None), build_visible(self.viewer))
            .group_by(LectureTag.name)
            .order_by(count.desc(), LectureTag.name)
            .limit(MAX_TAGS_LISTED)
        )
        async with self.database.read() as session:
            rows = (await session.execute(query)).tuples().all()
        items = [TagCount(name=name, lectures_count=number) for name, number in rows]
        return respond(TagList(items=items))


ROUTES: Final = (
    web.view("/api/v1/forms", FormsView),
    web.view("/api/v1/tags", TagsView),
)
