"""``/channels`` and ``/airings`` of the API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r201, r204
from pydantic import Field
from sqlalchemy import select

from kernel.errors import InputError, NotAllowedError
from vod.channels import schemas, service
from vod.channels.epg import Entry, load_channels, load_entries, present_airings
from vod.channels.models import Channel
from vod.channels.policy import may_edit_channels
from vod.channels.rule import SHANGHAI
from vod.http.keys import CLOCK
from vod.http.origin import read_origin
from vod.http.types import Moment
from vod.http.view import ApiView, require_id, respond, respond_empty
from vod.lectures.models import Lecture

NEXT_WITHIN: Final = timedelta(days=8)
MAX_SPAN: Final = timedelta(days=15)
DAY: Final = timedelta(days=1)


class _ChannelBase(ApiView):
    @property
    def now(self) -> datetime:
        return self.request.app[CLOCK].now()

    def require_editor(self) -> str:
        account_id = self.require_account()
        if not may_edit_channels(self.viewer):
            raise NotAllowedError("only editors and administrators curate channels")
        return account_id

    async def render(self, channels: list[Channel]) -> list[schemas.Channel]:
        """Render with what is on and what comes: two queries for all of them."""
        fillers = {row.filler_id for row in channels if row.filler_id}
        async with self.database.read() as session:
            entries = await load_entries(session, [row.id for row in channels])
            found = await session.execute(
                select(Lecture.id, Lecture.title).where(Lecture.id.in_(fillers))
            )
            titles = dict(found.tuples().all())
        return [self._render_one(row, entries, titles) for row in channels]

    def _render_one(
        self, row: Channel, entries: list[Entry], titles: dict[str, str]
    ) -> schemas.Channel:
        origin, may_manage = read_origin(self.request), may_edit_channels(self.viewer)
        airings = present_airings(
            row, entries, since=self.now, before=self.now + NEXT_WITHIN, now=self.now,
            viewer=self.viewer, origin=origin,
        )  # fmt: skip
        base = f"{origin}/channel/{row.id}"
        filler = row.filler_id if may_manage else None
        return schemas.Channel(
            id=row.id,
            title=row.title,
            description=row.description,
            visibility=row.visibility,
            audience=row.audience if may_manage else None,
            may_seek=row.may_seek,
            position=row.position,
            filler=schemas.FillerRef(id=filler, title=titles.get(filler, "")) if filler else None,
            now=next((one for one in reversed(airings) if one.state == "now"), None),
            next=next((one for one in airings if one.state == "later"), None),
            playback=schemas.ChannelPlayback(
                hls_url=f"{base}/index.m3u8", audio_url=f"{base}/audio.m3u8"
            ),
            watch_url=f"{origin}/channels/{row.id}",
            may_manage=may_manage,
        )

    async def show(self, channel_id: str) -> schemas.Channel:
        require_id(channel_id, "channel")
        async with self.database.read() as session:
            channel = await service.load_channel(session, channel_id, self.viewer)
        return (await self.render([channel]))[0]


class ChannelsView(_ChannelBase):
    async def get(self) -> r200[schemas.ChannelList]:
        """List the channels that whoever asks may watch, with what is on.

        Tags: channels
        """
        async with self.database.read() as session:
            rows = await load_channels(session, self.viewer)
        return respond(schemas.ChannelList(items=await self.render(rows)))

    async def post(self, body: schemas.NewChannel) -> r201[schemas.Channel]:
        """Create a channel.

        Tags: channels
        Status Codes:
            201: Created.
        """
        actor_id = self.require_editor()
        made = await service.create_channel(self.database, body, actor_id=actor_id, now=self.now)
        return respond(await self.show(made), status=201)


class ChannelView(_ChannelBase):
    async def get(self, channel_id: str, /) -> r200[schemas.Channel]:
        """Show a channel.

        Tags: channels
        """
        return respond(await self.show(channel_id))

    async def patch(self, channel_id: str, /, body: schemas.ChannelChange) -> r200[schemas.Channel]:
        """Change a channel; who watches goes on watching.

        Tags: channels
        """
        self.require_editor()
        require_id(channel_id, "channel")
        await service.change_channel(
            self.database, body, channel_id=channel_id, viewer=self.viewer, now=self.now
        )
        return respond(await self.show(channel_id))

    async def delete(self, channel_id: str, /) -> r204:
        """Take a channel off the air for good.

        Tags: channels
        Status Codes:
            204: Deleted.
        """
        self.require_editor()
        require_id(channel_id, "channel")
        await service.delete_channel(
            self.database, channel_id=channel_id, viewer=self.viewer, now=self.now
        )
        return respond_empty()


class EpgView(_ChannelBase):
    async def get(
        self,
        channel_id: str,
        /,
        since: Annotated[Moment | None, Field(description="Else today's start")] = None,
        before: Annotated[Moment | None, Field(description="Else a day later")] = None,
    ) -> r200[schemas.AiringList]:
        """List what a channel airs in a span of at most 15 days: past, now, later.

        Tags: channels
        """
        require_id(channel_id, "channel")
        start = since or find_day(self.now)
        end = before or start + DAY
        if not start <= end <= start + MAX_SPAN:
            raise InputError("before: at most 15 days after since", field="before", status=422)
        async with self.database.read() as session:
            channel = await service.load_channel(session, channel_id, self.viewer)
            entries = await load_entries(session, [channel_id])
        items = present_airings(
            channel, entries, since=start, before=end, now=self.now,
            viewer=self.viewer, origin=read_origin(self.request),
        )  # fmt: skip
        return respond(schemas.AiringList(items=items))


class AiringsView(_ChannelBase):
    async def get(self) -> r200[schemas.AiringList]:
        """List what is aired today (Asia/Shanghai) on the channels that whoever asks may watch.

        Tags: channels
        """
        start = find_day(self.now)
        async with self.database.read() as session:
            channels = await load_channels(session, self.viewer)
            entries = await load_entries(session, [row.id for row in channels])
        items = [
            one
            for row in channels
            for one in present_airings(
                row, entries, since=start, before=start + DAY, now=self.now,
                viewer=self.viewer, origin=read_origin(self.request),
            )
        ]  # fmt: skip
        return respond(schemas.AiringList(items=sorted(items, key=lambda one: one.starts_at)))


def find_day(now: datetime) -> datetime:
    """The start of the day in Asia/Shanghai."""
    return now.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)


class ProgrammesView(_ChannelBase):
    async def get(self, channel_id: str, /) -> r200[schemas.ProgrammeList]:
        """List the grid of a channel as it is curated.

        Tags: channels
        """
        self.require_editor()
        require_id(channel_id, "channel")
        async with self.database.read() as session:
            await service.load_channel(session, channel_id, self.viewer)
            entries = await load_entries(session, [channel_id])
        return respond(schemas.ProgrammeList(items=[present_programme(one) for one in entries]))

    async def post(self, channel_id: str, /, body: schemas.NewProgramme) -> r201[schemas.Programme]:
        """Put a lecture into the grid.

        Tags: channels
        Status Codes:
            201: It is in the grid.
            409: Something else is on then.
        """
        self.require_editor()
        require_id(channel_id, "channel")
        made = await service.add_programme(
            self.database, body, channel_id=channel_id, viewer=self.viewer, now=self.now
        )
        return respond(await load_one(self, channel_id, made), status=201)


class ProgrammeView(_ChannelBase):
    async def patch(
        self, channel_id: str, programme_id: str, /, body: schemas.ProgrammeChange
    ) -> r200[schemas.Programme]:
        """Move a programme, or change when it repeats.

        Tags: channels
        Status Codes:
            409: Something else is on then.
        """
        self.require_editor()
        require_id(channel_id, "channel")
        await service.change_programme(
            self.database,
            body,
            channel_id=channel_id,
            programme_id=require_id(programme_id, "programme"),
            viewer=self.viewer,
            now=self.now,
        )
        return respond(await load_one(self, channel_id, programme_id))

    async def delete(self, channel_id: str, programme_id: str, /) -> r204:
        """Take a programme out of the grid.

        Tags: channels
        Status Codes:
            204: Removed.
        """
        self.require_editor()
        require_id(channel_id, "channel")
        await service.remove_programme(
            self.database,
            channel_id=channel_id,
            programme_id=require_id(programme_id, "programme"),
            viewer=self.viewer,
            now=self.now,
        )
        return respond_empty()


async def load_one(view: ApiView, channel_id: str, programme_id: str) -> schemas.Programme:
    async with view.database.read() as session:
        entries = await load_entries(session, [channel_id])
    return next(present_programme(one) for one in entries if one.programme.id == programme_id)


def present_programme(entry: Entry) -> schemas.Programme:
    rule = entry.rule
    return schemas.Programme(
        id=entry.programme.id,
        lecture_id=entry.lecture.id,
        title=entry.lecture.title,
        duration_s=entry.length.total_seconds(),
        starts_at=rule.starts_at,
        weekdays=sorted(rule.weekdays),
        until=rule.until,
        exceptions=sorted(rule.exceptions),
    )


ROUTES: Final = (
    web.view("/api/v1/airings", AiringsView),
    web.view("/api/v1/channels", ChannelsView),
    web.view("/api/v1/channels/{channel_id}", ChannelView),
    web.view("/api/v1/channels/{channel_id}/epg", EpgView),
    web.view("/api/v1/channels/{channel_id}/programmes", ProgrammesView),
    web.view("/api/v1/channels/{channel_id}/programmes/{programme_id}", ProgrammeView),
)
