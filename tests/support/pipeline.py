"""The programs that make a lecture of a file, each a process that can be killed: Valkey, an S3
server, vod and two workers. Workers reach vod and the store through relays.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from redis.asyncio import Redis

from hall.binaries import find_valkey
from kernel.config import Settings, load_settings
from tests.support.hall import ADMIN_PASSWORD, ROOT, Api
from tests.support.http_relay import HttpRelay
from tests.support.ports import find_free_port
from tests.support.seaweed import ACCESS_KEY, SECRET_KEY, SeaweedServer, run_seaweed
from tests.support.stations import Stations
from tests.support.tus_client import OCTETS, TUS, encode_metadata
from tests.support.waiting import eventually

BUCKET = "pipeline"
WORKERS = ("worker-1", "worker-2")
SLOTS = 8  # Per worker: whoever is held takes one.
READY_S = 90.0
INTERNAL_SECRET = "between-the-services"


@dataclass
class Pipeline:
    """``async with run_pipeline(folder)``; every part can be killed and started again."""

    folder: Path
    store: SeaweedServer
    session: aiohttp.ClientSession
    vod_relay: HttpRelay
    store_relay: HttpRelay
    stations: Stations
    ports: dict[str, int]
    parts: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    _admin: Api | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.ports['vod']}"

    @property
    def valkey(self) -> str:
        return f"redis://127.0.0.1:{self.ports['valkey']}/0"

    def settings(self) -> Settings:
        """Of vod, for looking into its database and its store."""
        return load_settings(
            data=self.folder / "vod",
            blobs_url=self.store.blobs_url(BUCKET),
            s3_access_key=ACCESS_KEY,
            s3_secret_key=SECRET_KEY,
        )

    def environment(self, name: str) -> dict[str, str]:
        """Settings of one part; workers go through the relays."""
        is_worker = name in WORKERS
        host = f"127.0.0.1:{self.store_relay.port}" if is_worker else self.store.endpoint
        peer = self.vod_relay.port if is_worker else self.ports["internal"]
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith("HALL_")},
            "HALL_DATA": str(self.folder / name),
            "HALL_RUN_DIR": str(self.folder / "run"),
            "HALL_REDIS_URL": self.valkey,
            "HALL_BLOBS_URL": f"s3://{host}/{BUCKET}",
            "HALL_S3_ACCESS_KEY": ACCESS_KEY,
            "HALL_S3_SECRET_KEY": SECRET_KEY,
            "HALL_VOD_LISTEN": f"tcp:127.0.0.1:{self.ports['vod']}",
            "HALL_INTERNAL_BIND": "127.0.0.1",
            "HALL_VOD_INTERNAL_PORT": str(self.ports["internal"]),
            "HALL_INTERNAL_URL": f"http://127.0.0.1:{peer}",
            "HALL_INTERNAL_SECRET": INTERNAL_SECRET,
            "HALL_SECRET": "signing-secret-of-the-pipeline",
            "HALL_ADMIN_PASSWORD": ADMIN_PASSWORD,
        }

    async def start(self, name: str, *, data: Path | None = None) -> None:
        """Start ``valkey``, ``vod`` or one of ``WORKERS``; does not wait for it.

        ``data``: its data folder, when it is not the usual one.
        """
        environment = self.environment(name)
        if data is not None:
            environment["HALL_DATA"] = str(data)
        if name == "valkey":
            argv = [
                str(find_valkey()), "--port", str(self.ports["valkey"]), "--bind", "127.0.0.1",
                "--save", "", "--appendonly", "no", "--dir", str(self.folder),
            ]  # fmt: skip
        else:
            words = ["serve", "vod"] if name == "vod" else ["worker", "--concurrency", str(SLOTS)]
            argv = [sys.executable, "-m", "tests.support.hurried_hall", *words]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.parts[name] = await asyncio.create_subprocess_exec(
                *argv, cwd=ROOT, env=environment, start_new_session=True,
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    async def kill(self, name: str) -> None:
        """kill -9."""
        if name == "store":
            await asyncio.to_thread(self.store.kill)
            return
        process = self.parts.pop(name)
        process.kill()
        await process.wait()

    async def start_again(self, *names: str) -> None:
        """Start what was killed; wait for vod and the store, which others ask at once."""
        for name in names:
            if name == "store":
                await asyncio.to_thread(self.store.start)
                continue
            await self.start(name)
            if name == "vod":
                await self.wait_for_vod()

    async def wait_for_vod(self) -> None:
        async def answers() -> bool:
            try:
                async with self.session.get(f"{self.origin}/healthz") as response:
                    return response.status < 400
            except aiohttp.ClientError:
                return False

        await eventually(answers, timeout_s=READY_S, message="vod does not answer")

    async def admin(self) -> Api:
        if self._admin is None:
            api = Api(self.session, self.origin)
            self._admin = await api.sign_in("admin", ADMIN_PASSWORD)
        return self._admin

    async def upload(self, content: bytes, title: str, *, station: str | None = None) -> str:
        """Send a file in one request; return its lecture, which is told where to stop first."""
        admin = await self.admin()
        headers = {
            **admin.headers, **TUS,
            "Content-Type": OCTETS,
            "Upload-Length": str(len(content)),
            "Upload-Metadata": encode_metadata(
                filename=f"{title}.mp4", title=title, allow_duplicate="1", visibility="public"
            ),
        }  # fmt: skip
        url = f"{self.origin}/api/v1/uploads"
        async with self.stations.turn:  # A worker may be quicker than our next line.
            async with self.session.post(url, data=content, headers=headers) as response:
                assert response.status == 201, await response.text()
                upload_id = response.headers["Location"].rpartition("/")[2]
            lecture_id = str((await admin.get(f"/uploads/{upload_id}"))["lecture_id"])
            self.stations.know_upload(upload_id, lecture_id)
            if station is not None:
                self.stations.targets[lecture_id] = station
        return lecture_id

    async def job(self, lecture_id: str) -> dict[str, Any]:
        """The lecture's job with its units."""
        admin = await self.admin()
        jobs = await admin.get(f"/lectures/{lecture_id}/jobs")
        return dict((jobs["items"] if isinstance(jobs, dict) else jobs)[0])

    async def find_attempts(self, lecture_id: str, cause: str) -> list[dict[str, Any]]:
        """Attempts of the lecture's units that failed for ``cause``."""
        admin, found = await self.admin(), []
        for unit in (await self.job(lecture_id))["units"]:
            detail = await admin.get(f"/units/{unit['id']}")
            found += [item for item in detail["attempts"] if item["cause"] == cause]
        return found

    async def wait_ready(self, lectures: list[str], *, timeout_s: float) -> None:
        """Wait until every lecture is whole; one that failed ends it at once."""
        admin, waiting = await self.admin(), set(lectures)

        async def are_ready() -> bool:
            for lecture_id in sorted(waiting):
                found = await admin.get(f"/lectures/{lecture_id}")
                assert found["state"] != "failed", await self.job(lecture_id)
                if found["state"] == "ready" and not found["is_partial"]:
                    waiting.discard(lecture_id)
            return not waiting

        try:
            await eventually(are_ready, timeout_s=timeout_s)
        except AssertionError as error:
            stuck = [await self.job(lecture_id) for lecture_id in sorted(waiting)]
            raise AssertionError(f"these never became ready: {stuck}") from error

    async def flush(self) -> int:
        """FLUSHALL; returns how many messages of ours it took."""
        async with Redis.from_url(self.valkey) as client:
            counts = [int(await client.llen(name)) for name in ("live", "short", "long")]
            await client.flushall()
        return sum(counts)

    async def count_messages(self) -> int:
        """How many messages wait for a worker."""
        async with Redis.from_url(self.valkey) as client:
            return sum([int(await client.llen(name)) for name in ("live", "short", "long")])

    def read_logs(self) -> str:
        return "\n".join(
            f"== {path.name}\n{path.read_text(errors='replace')[-6000:]}"
            for path in sorted(self.folder.glob("*.log"))
        )


@asynccontextmanager
async def run_pipeline(folder: Path) -> AsyncIterator[Pipeline]:
    """Start everything; all of it is killed in the end."""
    async with AsyncExitStack() as stack:
        (folder / "s3").mkdir()
        manager = run_seaweed(folder / "s3")
        store = await asyncio.to_thread(manager.__enter__)
        stack.callback(manager.__exit__, None, None, None)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=30)
            )
        )
        stations = Stations()
        ports = {name: find_free_port() for name in ("vod", "internal", "valkey")}
        vod_relay = HttpRelay(f"http://127.0.0.1:{ports['internal']}", stations.watch_vod)
        store_relay = HttpRelay(f"http://{store.endpoint}", stations.watch_store)
        await stack.enter_async_context(vod_relay.run())
        await stack.enter_async_context(store_relay.run())
        running = Pipeline(folder, store, session, vod_relay, store_relay, stations, ports)
        stack.push_async_callback(_kill_all, running)
        await _set_up(running)
        for name in ("valkey", "vod", *WORKERS):
            await running.start(name)
        await running.wait_for_vod()
        try:
            yield running
        except BaseException:
            sys.stderr.write(running.read_logs())
            raise


async def _set_up(running: Pipeline) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hall", "setup", cwd=ROOT, env=running.environment("vod"),
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    async with asyncio.timeout(READY_S):
        assert await process.wait() == 0


async def _kill_all(running: Pipeline) -> None:
    running.stations.release({}, broken=())
    for process in running.parts.values():
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
