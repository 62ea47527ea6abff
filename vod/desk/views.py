"""``/desk`` of the API."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200

from vod.desk.tasks import TaskKind, load_tasks
from vod.http.keys import CLOCK
from vod.http.types import View
from vod.http.view import ApiView, respond


class TaskItem(View):
    """One of the things to do."""

    id: str
    title: str


class Task(View):
    """Things of one kind that need doing; ``first`` are the most urgent."""

    kind: TaskKind
    count: int
    first: list[TaskItem]


class TaskList(View):
    """What needs doing, the most urgent first; empty when nothing does."""

    items: list[Task]


class DeskTasksView(ApiView):
    async def get(self) -> r200[TaskList]:
        """List what whoever asks should do next.

        Tags: desk
        """
        self.require_account()
        now = self.request.app[CLOCK].now()
        async with self.database.read() as session:
            found = await load_tasks(session, self.viewer, now=now)
        return respond(
            TaskList(
                items=[
                    Task(
                        kind=one.kind,
                        count=one.count,
                        first=[TaskItem(id=key, title=title) for key, title in one.first],
                    )
                    for one in found
                ]
            )
        )


ROUTES: Final = (web.view("/api/v1/desk/tasks", DeskTasksView),)
