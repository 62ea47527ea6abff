"""The library of the sample centre: teachers, venues, lessons with files, a link."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from hall.api import HallApi
from hall.demo.media import build_captions, render_lesson
from hall.demo.people import ensure_one
from hall.demo.script import LESSONS, LINK, TEACHERS, VENUES, Lesson
from hall.sending import Sender
from kernel.errors import DependencyError

POLL_S: Final = 1.0
ATTEMPTS: Final = 3
READY_S: Final = 900.0  # On a machine that teaches and encodes at once.


async def add_teachers(api: HallApi) -> dict[str, str]:
    """The pool of teachers; identifiers by name."""
    today = datetime.now(UTC).date().replace(day=1)
    ids = {}
    for teacher in TEACHERS:
        begins, ends = (today.replace(year=today.year + n) for n in teacher.appointed_years)
        body = {
            "unit_name": teacher.unit_name,
            "job_title": teacher.job_title,
            "topics": list(teacher.topics),
            "appointed_from": begins.isoformat(),
            "appointed_until": ends.isoformat(),
            "is_published": True,
        }
        row, _ = await ensure_one(api, "/instructors", teacher.name, body, key="name")
        ids[teacher.name] = str(row["id"])
    return ids


async def add_venues(api: HallApi) -> None:
    """The teaching points."""
    for name, kind, place, count in VENUES:
        body = {"kind": kind, "place": place, "capacity_count": count, "is_published": True}
        await ensure_one(api, "/venues", name, body, key="name")


async def add_link(api: HallApi, series_id: str) -> str:
    """An entry that leads elsewhere, with its source and licence."""
    title, url, source, licence = LINK
    body = {
        "kind": "link",
        "external_url": url,
        "source_label": source,
        "licence": licence,
        "visibility": "public",
        "series_ids": [series_id],
    }
    row, is_new = await ensure_one(api, "/lectures", title, body)
    if is_new:
        await api.call("POST", f"/lectures/{row['id']}/publication", {"move": "publish"})
    return str(row["id"])


async def add_lessons(
    api: HallApi, sender: Sender, *, ffmpeg: Path, series_id: str, teachers: dict[str, str]
) -> dict[str, str]:
    """Make, upload and describe the lessons; identifiers by title, those that play."""
    forms = {row["name"]: row["key"] for row in (await api.call("GET", "/forms"))["items"]}
    ids, new_count = {}, 0
    for lesson in LESSONS:
        found = await _find_lesson(api, lesson.title)
        ids[lesson.title] = found or await _send(sender, lesson, ffmpeg, series_id)
        change = {
            "form": forms[lesson.form],
            "tags": list(lesson.tags),
            "hours": "0.5",
            "instructor_ids": [teachers[lesson.teacher]],
            "visibility": "public",
        }
        if not found:
            await api.call("PATCH", f"/lectures/{ids[lesson.title]}", change)
            new_count += 1
    for lesson in LESSONS:
        await _finish(api, lesson, ids[lesson.title])
    if new_count:
        await _mark_electives(api, series_id, ids)
    return ids


async def _find_lesson(api: HallApi, title: str) -> str | None:
    found = await api.call("GET", "/lectures?page_size=100&q=" + title.split(maxsplit=1)[0])
    return next((str(row["id"]) for row in found["items"] if row["title"] == title), None)


async def _send(sender: Sender, lesson: Lesson, ffmpeg: Path, series_id: str) -> str:
    with tempfile.TemporaryDirectory(prefix="hall-demo-") as folder:
        suffix = ".mp4" if lesson.slides else ".m4a"
        path = Path(folder, lesson.title.replace(" ", "-") + suffix)
        await render_lesson(lesson, path, ffmpeg=ffmpeg)
        sent = await sender.send(
            path,
            on_progress=lambda _: None,
            title=lesson.title,
            series_id=series_id,
            visibility="public",
        )
    if sent.lecture_id is None:
        raise DependencyError(f"the sample lesson {lesson.title}: {sent.reason}")
    return sent.lecture_id


async def _finish(api: HallApi, lesson: Lesson, lecture_id: str) -> None:
    """Once it plays: published, and with captions."""
    lecture = await wait_until_ready(api, lecture_id)
    if lecture["publication"] == "draft":
        await api.call("POST", f"/lectures/{lecture_id}/publication", {"move": "publish"})
    if lesson.has_captions and not lecture["captions"]:
        query = "language=zh-CN&label=%E4%B8%AD%E6%96%87&filename=captions.vtt"
        await api.post_bytes(f"/lectures/{lecture_id}/captions?{query}", build_captions(lesson))


async def wait_until_ready(api: HallApi, lecture_id: str) -> dict[str, Any]:
    """The lecture once it plays.

    Raises:
        DependencyError: It failed, or ``READY_S`` went by.
    """
    try:
        async with asyncio.timeout(READY_S):
            while True:
                lecture = dict(await api.call("GET", f"/lectures/{lecture_id}"))
                if lecture["state"] == "failed":
                    raise DependencyError(f"the sample lesson {lecture['title']} failed")
                if lecture["state"] == "ready" and lecture["duration_s"]:
                    return lecture
                await asyncio.sleep(POLL_S)
    except TimeoutError as error:
        raise DependencyError(f"lecture {lecture_id} is not ready yet") from error


async def _mark_electives(api: HallApi, series_id: str, ids: dict[str, str]) -> None:
    electives = {ids[lesson.title] for lesson in LESSONS if not lesson.is_required}
    for attempt in range(1, ATTEMPTS + 1):
        order = await api.call("GET", f"/series/{series_id}/lectures")
        entries = [
            {"lecture_id": row["lecture_id"], "is_required": row["lecture_id"] not in electives}
            for row in order["lectures"]
        ]
        wanted = {"version": order["version"], "lectures": entries}
        try:
            await api.call("PUT", f"/series/{series_id}/lectures", wanted)
        except DependencyError:
            if attempt == ATTEMPTS:
                raise  # Else a class has just ended, and its replay has joined the series.
        else:
            return
