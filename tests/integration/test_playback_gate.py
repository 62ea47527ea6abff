"""A members' replay through real nginx, real vod and a folder of blobs, without streamer."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

from hall import folders
from hall.gate import remove_caches
from hall.supervisor import Supervisor
from hall.up import gate_child, local_origin
from kernel.clock import SystemClock
from kernel.config import Settings
from kernel.http import listen
from tests.integration.vod_jobs_support import Hall, open_hall
from tests.support.ports import find_free_port
from tests.support.vod import weak_passwords
from tests.support.waiting import eventually
from vod.accounts.models import Account
from vod.accounts.roles import Role, Visibility
from vod.accounts.sessions import start_session
from vod.app import build_internal_app, build_public_app, open_services


async def add_token(hall: Hall) -> str:
    now = SystemClock().now()
    account = Account(
        id="a" * 20, login="a", display_name="a", role=Role.MEMBER, password_hash="-",
        is_disabled=False, created_at=now,
    )  # fmt: skip
    async with hall.database.write() as session:
        session.add(account)
        await session.flush()
        return start_session(session, account, now)[0]


async def test_a_replay_is_for_members_and_comes_from_the_folder(short_dir: Path) -> None:
    (short_dir / "player").mkdir()
    (short_dir / "player" / "index.html").write_text("page")
    settings = Settings(data=short_dir / "data", http_port=find_free_port(), secret="s" * 32)  # type: ignore[arg-type]
    folders.ensure_folders(settings)
    async with AsyncExitStack() as stack:
        hall = await stack.enter_async_context(open_hall(settings.database))
        live_class = await hall.add_class(visibility=Visibility.MEMBERS)
        lecture_id = await hall.end(live_class)
        report = await hall.publish(await hall.store(lecture_id))
        segment = f"live/{live_class.broadcast_id}/0/av/1.m4s"
        services = await stack.enter_async_context(
            open_services(settings, passwords=weak_passwords())
        )
        for key in (segment, report.prefix + "360p.mp4"):
            await services.blobs.put_bytes(key, b"0123456789", content_type="video/mp4")
        internal = build_internal_app(services, has_background=False)
        await stack.enter_async_context(listen(internal, settings.vod_internal_address))
        public = build_public_app(services)
        await stack.enter_async_context(listen(public, settings.vod_address))
        stack.callback(remove_caches, settings)
        await stack.enter_async_context(
            Supervisor([gate_child(settings, player=short_dir / "player")])
        )
        http = await stack.enter_async_context(
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        )
        origin, token = local_origin(settings), await add_token(hall)

        async def get(path: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
            try:
                async with http.get(origin + path, headers=headers) as response:
                    return response.status, await response.read(), dict(response.headers)
            except aiohttp.ClientError:
                return 0, b"", {}

        file = f"/media/{lecture_id}/{report.prefix}360p.mp4"

        async def is_refused() -> bool:
            return (await get(file))[0] == 401

        await eventually(is_refused, timeout_s=20)
        member = {"Authorization": f"Bearer {token}"}
        status, body, headers = await get(file, Range="bytes=2-4", **member)
        assert (status, body) == (206, b"234")
        assert headers["Content-Type"] == "video/mp4"
        assert headers["Cache-Control"] == "private, max-age=31536000, immutable"
        # streamer does not run: recorded segments come from vod.
        status, body, _ = await get("/" + segment, **member)
        assert (status, body) == (200, b"0123456789")
        async with http.post(
            f"{origin}/api/v1/lectures/{lecture_id}/signed-url", headers=member
        ) as response:
            assert response.status == 200
            signed = (await response.json())["hls_url"].removeprefix(origin)
        prefix = signed.removesuffix(f"/media/{lecture_id}/index.m3u8")
        assert (await get(prefix + file))[:2] == (200, b"0123456789")
        assert (await get(f"{prefix}/{segment}"))[:2] == (200, b"0123456789")
        assert (await get(prefix[:-1] + "!" + file))[0] != 200
        assert (await get(f"/media/{lecture_id}/../{lecture_id}/{report.prefix}360p.mp4"))[0] == 401
