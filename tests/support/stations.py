"""Where a job can be stopped: every transition of its units, seen from the two lines of a worker.

One line goes to vod, one to the store. A station is on one of them; a job that is told to stop
there is held, with all its later requests to that station, until ``release``.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tests.support.http_relay import LineBrokenError, Passage
from tests.support.waiting import eventually
from vod.jobs.plan import FIRST_KEY

STATIONS = (
    "plan claimed",  # vod has handed it out, the worker does not know yet.
    "plan running",  # The file is about to be read.
    "plan reporting",  # It is done, vod does not know yet.
    "plan done",  # vod has committed it, the worker does not know yet.
    "encode running",  # A result is about to be stored.
    "encode reporting",
    "encode done",
    "publish running",  # Part of the asset is there.
    "publish reporting",
    "publish done",
)
_KINDS = {"plan_upload": "plan", "encode_video": "encode", "publish_asset": "publish"}
_UNIT_CALL = re.compile(r"^/internal/units/([^/]+)/(\w+)$")
_UPLOAD = re.compile(r"/uploads/([^/?]+)")
_STAGED = re.compile(r"/staging/([0-9A-Za-z]+)-\d+/")
_PUBLISHED = re.compile(r"/assets/([^/?]+)/[0-9a-f]+/([^/?]+)")  # The whole set, not the first.


class Line(StrEnum):
    """Between a worker and whom."""

    VOD = "vod"
    STORE = "store"


@dataclass
class Stations:
    """Holds jobs at the stations that they are told.

    Attributes:
        targets: Lecture -> the station where its job is to stop next.
        held: Lecture -> where its job stands now.
        turn: Whoever holds it keeps workers from claiming: the targets may change meanwhile.
    """

    targets: dict[str, str] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _units: dict[str, dict[str, Any]] = field(default_factory=dict)
    _lectures: dict[str, str] = field(default_factory=dict)
    _published: dict[str, set[str]] = field(default_factory=dict)
    _waiting: dict[Line, list[asyncio.Future[bool]]] = field(
        default_factory=lambda: {line: [] for line in Line}
    )

    def know_upload(self, upload_id: str, lecture_id: str) -> None:
        self._lectures[upload_id] = lecture_id

    async def watch_vod(self, passage: Passage) -> None:
        """Watcher of the line to vod."""
        found = _UNIT_CALL.match(passage.path)
        if found is None:
            return
        unit_id, verb = found.groups()
        if passage.status is None and verb == "claim":
            async with self.turn:
                return
        if passage.status == 200 and verb == "claim":
            unit = json.loads(passage.answer)
            self._units[unit["unit_id"]] = unit
            self._lectures[unit["asset_id"]] = unit["lecture_id"]
            if unit["lecture_id"] in self.held:  # vod goes on after "done"; the job must not.
                await self._wait(Line.VOD)
            await self._stop_unit(unit, "claimed", Line.VOD)
        elif verb == "complete" and unit_id in self._units:
            is_done = passage.status is not None and passage.status < 300
            if passage.status is None or is_done:
                step = "done" if is_done else "reporting"
                await self._stop_unit(self._units[unit_id], step, Line.VOD)

    async def watch_store(self, passage: Passage) -> None:
        """Watcher of the line to the store."""
        if passage.status is not None:
            return
        if found := _UPLOAD.search(passage.path):
            lecture_id = self._lectures.get(found[1], "")
            await self._stop(lecture_id, "plan running", Line.STORE)
        elif passage.method == "PUT" and (found := _STAGED.search(passage.path)):
            if found[1] in self._units:
                await self._stop_unit(self._units[found[1]], "running", Line.STORE)
        elif passage.method == "PUT" and (found := _PUBLISHED.search(passage.path)):
            names = self._published.setdefault(found[1], set())
            names.add(found[2])
            if len(names) > 1:
                await self._stop(self._lectures.get(found[1], ""), "publish running", Line.STORE)

    async def _stop_unit(self, unit: dict[str, Any], step: str, line: Line) -> None:
        kind = "" if unit["key"] == FIRST_KEY else _KINDS.get(unit["kind"], "")
        await self._stop(unit["lecture_id"], f"{kind} {step}", line)

    async def _stop(self, lecture_id: str, station: str, line: Line) -> None:
        if self.targets.get(lecture_id) != station:
            return
        self.held[lecture_id] = station
        await self._wait(line)

    async def _wait(self, line: Line) -> None:
        gate: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[line].append(gate)
        if not await gate:
            raise LineBrokenError

    async def wait_held(self, lectures: Collection[str], *, timeout_s: float) -> None:
        """Wait until the job of each lecture stands where it was told."""

        def are_held() -> bool:
            return all(self.held.get(key) == self.targets[key] for key in lectures)

        try:
            await eventually(are_held, timeout_s=timeout_s)
        except AssertionError as error:
            left = {k: self.targets[k] for k in lectures if self.held.get(k) != self.targets[k]}
            raise AssertionError(f"these never came to their station: {left}") from error

    def release(self, targets: dict[str, str], *, broken: Iterable[Line]) -> None:
        """Let all go on to their next ``targets``; what is on ``broken`` lines ends."""
        self.targets, self.held = dict(targets), {}
        cut = set(broken)
        for line, gates in self._waiting.items():
            for gate in gates:
                if not gate.done():
                    gate.set_result(line not in cut)
            gates.clear()
