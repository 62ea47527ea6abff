"""``/venues`` of the API: a small list with one shape."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r201, r204
from pydantic import Field, StringConstraints
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import NotAllowedError, NotFoundError
from vod.accounts.roles import Viewer
from vod.audit.service import record
from vod.http.keys import CLOCK
from vod.http.pagination import Page, PageQuery, build_like, load_page, page_members
from vod.http.types import Body, LongText, SearchText, View
from vod.http.view import ApiView, require_id, respond, respond_empty
from vod.library.models import Venue, VenueKind
from vod.library.policy import LibraryAction, may_in_library
from vod.library.types import Label


class VenueView(View):
    """A place; contacts are null for whoever is not signed in."""

    id: str
    name: str
    kind: VenueKind
    place: str
    description: str
    contact_name: str | None
    contact_phone: str | None
    capacity_count: int | None
    is_published: bool


class VenuePage(Page):
    items: list[VenueView]


VenueName = Annotated[Label, StringConstraints(min_length=1)]


class VenueFields(Body):
    place: Label | None = None
    description: LongText | None = None
    contact_name: Annotated[Label, StringConstraints(max_length=64)] | None = None
    contact_phone: Annotated[Label, StringConstraints(max_length=32)] | None = None
    capacity_count: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    is_published: bool | None = None


class NewVenue(VenueFields):
    name: VenueName
    kind: VenueKind


class VenueChange(VenueFields):
    """Members left out stay; null clears the capacity."""

    name: VenueName | None = None
    kind: VenueKind | None = None


async def load_venue(session: AsyncSession, venue_id: str, viewer: Viewer) -> Venue:
    """Raises ``NotFoundError``: there is none that the viewer may know of."""
    row = await session.get(Venue, venue_id)
    is_editor = may_in_library(viewer, LibraryAction.CURATE)
    if row is None or not (row.is_published or is_editor):
        raise NotFoundError("no such venue")
    return row


def _present(row: Venue, viewer: Viewer) -> VenueView:
    has_contacts = may_in_library(viewer, LibraryAction.SEE_CONTACTS)
    return VenueView(
        id=row.id,
        name=row.name,
        kind=row.kind,
        place=row.place,
        description=row.description,
        contact_name=row.contact_name if has_contacts else None,
        contact_phone=row.contact_phone if has_contacts else None,
        capacity_count=row.capacity_count,
        is_published=row.is_published,
    )


class _VenueBase(ApiView):
    def require_editor(self) -> None:
        self.require_account()
        if not may_in_library(self.viewer, LibraryAction.CURATE):
            raise NotAllowedError("only editors and administrators change venues")

    @property
    def now(self) -> datetime:
        return self.request.app[CLOCK].now()

    def note(self, session: AsyncSession, row: Venue, action: str, **detail: Any) -> None:
        record(
            session,
            now=self.now,
            actor_id=self.viewer.account_id,
            action=action,
            object_type="venue",
            object_id=row.id,
            **detail,
        )


class VenuesView(_VenueBase):
    async def get(
        self,
        page: PageQuery,
        q: SearchText = "",
        kind: Annotated[VenueKind | None, Field(description="Only of this kind")] = None,
    ) -> r200[VenuePage]:
        """List places for teaching on site.

        Tags: library
        """
        query = select(Venue).order_by(Venue.name, Venue.id)
        if not may_in_library(self.viewer, LibraryAction.CURATE):
            query = query.where(Venue.is_published.is_(True))
        if q.strip():
            like = build_like(q)
            found = (Venue.name, Venue.place, Venue.description)
            query = query.where(or_(*(column.ilike(like, escape="\\") for column in found)))
        if kind is not None:
            query = query.where(Venue.kind == kind)
        async with self.database.read() as session:
            rows, total = await load_page(session, query, page)
        items = [_present(row, self.viewer) for row in rows]
        return respond(VenuePage(items=items, **page_members(page, total)))

    async def post(self, body: NewVenue) -> r201[VenueView]:
        """Add a place.

        Tags: library
        Status Codes:
            201: Added.
        """
        self.require_editor()
        async with self.database.write() as session:
            values = {k: v for k, v in body.model_dump().items() if v is not None}
            row = Venue(created_at=self.now, **values)
            session.add(row)
            await session.flush()
            self.note(session, row, "venue.created", name=row.name)
        return respond(_present(row, self.viewer), status=201)


class OneVenueView(_VenueBase):
    async def get(self, venue_id: str, /) -> r200[VenueView]:
        """Show a place.

        Tags: library
        """
        require_id(venue_id, "venue")
        async with self.database.read() as session:
            return respond(_present(await load_venue(session, venue_id, self.viewer), self.viewer))

    async def patch(self, venue_id: str, /, body: VenueChange) -> r200[VenueView]:
        """Change a place. Members left out stay.

        Tags: library
        """
        self.require_editor()
        require_id(venue_id, "venue")
        async with self.database.write() as session:
            row = await load_venue(session, venue_id, self.viewer)
            for name, value in body.model_dump(exclude_unset=True).items():
                if value is not None or name == "capacity_count":
                    setattr(row, name, value)
            detail = body.model_dump(mode="json", exclude_unset=True)
            self.note(session, row, "venue.changed", **detail)
        return respond(_present(row, self.viewer))

    async def delete(self, venue_id: str, /) -> r204:
        """Remove a place.

        Tags: library
        Status Codes:
            204: Removed.
        """
        self.require_editor()
        require_id(venue_id, "venue")
        async with self.database.write() as session:
            row = await load_venue(session, venue_id, self.viewer)
            await session.delete(row)
            self.note(session, row, "venue.deleted", name=row.name)
        return respond_empty()


ROUTES: Final = (
    web.view("/api/v1/venues", VenuesView),
    web.view("/api/v1/venues/{venue_id}", OneVenueView),
)
