"""``/films`` of the API: the lectures that are films, by year, and their categories."""

from __future__ import annotations

from typing import Annotated, Any, Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200
from pydantic import Field
from sqlalchemy import Select, func, or_, select

from vod.http.origin import read_origin
from vod.http.pagination import Page, PageQuery, build_like, load_page, page_members
from vod.http.types import SearchText, View
from vod.http.view import ApiView, respond
from vod.lectures.extras import load_extras
from vod.lectures.models import Lecture
from vod.lectures.present import present_lecture
from vod.lectures.publication import Publication
from vod.lectures.schemas import Lecture as LectureView
from vod.lectures.visible import build_visible
from vod.library.models import LectureFilm
from vod.library.types import Label


class FilmCategory(View):
    """A category that films have which one may see."""

    name: str
    lectures_count: int


class FilmPage(Page):
    """Films, the newest first; ``categories`` are those of the whole library."""

    items: list[LectureView]
    categories: list[FilmCategory]


class FilmsView(ApiView):
    async def get(
        self,
        page: PageQuery,
        q: SearchText = "",
        category: Annotated[Label | None, Field(description="Only of this category")] = None,
        publication: Annotated[
            Publication | None, Field(description="Only so far on the way to the members")
        ] = None,
    ) -> r200[FilmPage]:
        """List films that whoever asks may see; words find titles, descriptions and producers.

        Tags: library
        """
        shown = self._select(publication)
        count = func.count()
        counted = (
            shown.with_only_columns(LectureFilm.category, count)
            .group_by(LectureFilm.category)
            .order_by(count.desc(), LectureFilm.category)
        )
        query = shown.order_by(
            LectureFilm.produced_year.desc().nulls_last(),
            Lecture.recorded_at.desc().nulls_last(),
            Lecture.id.desc(),
        )
        if category is not None:
            query = query.where(LectureFilm.category == category)
        if q.strip():
            like = build_like(q)
            found = (Lecture.title, Lecture.description, LectureFilm.producer)
            query = query.where(or_(*(column.ilike(like, escape="\\") for column in found)))
        async with self.database.read() as session:
            rows, total = await load_page(session, query, page)
            extras = await load_extras(session, rows)
            names = (await session.execute(counted)).tuples().all()
        origin = read_origin(self.request)
        items = [
            present_lecture(row, extras[row.id], viewer=self.viewer, origin=origin) for row in rows
        ]
        categories = [FilmCategory(name=name, lectures_count=number) for name, number in names]
        return respond(FilmPage(items=items, categories=categories, **page_members(page, total)))

    def _select(self, publication: Publication | None) -> Select[Any]:
        query = (
            select(Lecture)
            .join(LectureFilm, LectureFilm.lecture_id == Lecture.id)
            .where(Lecture.deleted_at.is_(None), build_visible(self.viewer))
        )
        return query if publication is None else query.where(Lecture.publication == publication)


ROUTES: Final = (web.view("/api/v1/films", FilmsView),)
