"""Rights, signed paths and delivery over HTTP, as the gate and players meet them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import m3u8
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import event as sqlalchemy_event

from kernel.blobs.directory import DirectoryBlobStore
from kernel.config import Settings
from kernel.hls import parse_media_playlist, parse_multivariant_playlist
from kernel.http import problem_middleware
from kernel.ids import new_id
from tests.integration.vod_jobs_support import PLAN_HASH, Hall, make_index
from tests.integration.vod_jobs_support import hall as hall  # noqa: PLC0414 - a fixture
from tests.integration.vod_jobs_support import postgres_uri as postgres_uri  # noqa: PLC0414
from vod.accounts.models import Account
from vod.accounts.roles import Role, Visibility
from vod.accounts.sessions import start_session
from vod.classes.models import LiveClass
from vod.classes.states import ClassState
from vod.http.keys import BLOBS, CLOCK, DATABASE, SECRET, SETTINGS
from vod.http.sessions import session_middleware
from vod.lectures.models import Lecture
from vod.playback.authorize import INTERNAL_ROUTES
from vod.playback.delivery import MEDIA_ROUTES
from vod.playback.keys import LIBRARY, prepare_playback
from vod.playback.signing import SignedPath, sign_path
from vod.playback.views import ROUTES

KEY = b"s" * 32


@dataclass
class House:
    """vod's handlers of playback behind a client, with media in a folder."""

    hall: Hall
    client: TestClient[web.Request, web.Application]
    blobs: DirectoryBlobStore

    async def add_account(
        self, *, is_disabled: bool = False, must_change_password: bool = False
    ) -> tuple[str, str]:
        """(account id, session token)"""
        account = Account(
            id=new_id(), login=new_id(), display_name="张三", role=Role.MEMBER,
            password_hash="-", is_disabled=is_disabled,
            must_change_password=must_change_password, created_at=self.hall.clock.now(),
        )  # fmt: skip
        async with self.hall.database.write() as session:
            session.add(account)
            await session.flush()
            token, _ = start_session(session, account, self.hall.clock.now())
        return account.id, token

    async def ask(self, uri: str, **headers: str) -> int:
        status, _ = await self.ask_viewer(uri, **headers)
        return status

    async def ask_viewer(self, uri: str, **headers: str) -> tuple[int, str]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.client.get(
            "/internal/authorize", headers={"X-Original-URI": uri, **sent}
        ) as response:
            return response.status, response.headers.get("X-Hall-Viewer", "")

    async def add_replay(
        self, visibility: Visibility = Visibility.PUBLIC, **index: object
    ) -> tuple[LiveClass, str]:
        live_class = await self.hall.add_class(visibility=visibility)
        made = make_index(live_class.broadcast_id, **index) if index else None  # type: ignore[arg-type]
        return live_class, await self.hall.end(live_class, index=made)

    async def publish(self, lecture_id: str) -> str:
        """Publish an asset with real files; return its prefix."""
        job_id = await self.hall.store(lecture_id)
        report = await self.hall.publish(job_id)
        media = (
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n"
            '#EXT-X-MAP:URI="{0}.mp4",BYTERANGE="700@0"\n#EXTINF:4,\n#EXT-X-BYTERANGE:900@700\n'
            "{0}.mp4\n#EXT-X-ENDLIST\n"
        )
        files = {
            "360p.mp4": bytes(range(250)) * 8,
            "audio.mp4": b"a" * 500,
            "360p.m3u8": media.format("360p").encode(),
            "audio.m3u8": media.format("audio").encode(),
            "index.m3u8": (
                b"#EXTM3U\n#EXT-X-VERSION:7\n"
                b'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="zh",DEFAULT=YES,URI="audio.m3u8"\n'
                b'#EXT-X-STREAM-INF:BANDWIDTH=700000,CODECS="avc1.64001e,mp4a.40.2",AUDIO="a"\n'
                b"360p.m3u8\n"
            ),
            "poster.jpg": b"\xff\xd8jpeg",
            "storyboard.vtt": b"WEBVTT\n",
            "manifest.json": b"{}",
        }
        for name, data in files.items():
            await self.blobs.put_bytes(report.prefix + name, data, content_type="x/y")
        return report.prefix


@pytest.fixture
async def house(hall: Hall, tmp_path: Path) -> AsyncIterator[House]:
    blobs = DirectoryBlobStore(tmp_path / "blobs")
    app = web.Application(middlewares=[problem_middleware, session_middleware])
    app[DATABASE], app[CLOCK], app[SECRET], app[BLOBS] = hall.database, hall.clock, KEY, blobs
    app[SETTINGS] = Settings(data=tmp_path, public_url="https://hall.example")
    prepare_playback(app)
    app.add_routes([*INTERNAL_ROUTES, *MEDIA_ROUTES, *ROUTES])
    async with TestClient(TestServer(app)) as client:
        yield House(hall, client, blobs)
    await blobs.close()


# ---- rights ------------------------------------------------------------------------------------


@pytest.mark.parametrize("visibility", list(Visibility))
@pytest.mark.parametrize("who", ["nobody", "cookie", "bearer", "stale", "disabled", "fresh"])
@pytest.mark.parametrize("kind", ["live", "media"])
async def test_who_may_fetch_what(
    house: House, visibility: Visibility, who: str, kind: str
) -> None:
    live_class, lecture_id = await house.add_replay(visibility)
    uri = {
        "live": f"/live/{live_class.broadcast_id}/0/av/1.m4s",
        "media": f"/media/{lecture_id}/index.m3u8",
    }[kind]
    headers = {}
    if who in {"cookie", "disabled", "fresh"}:  # A fresh one has not chosen a password yet.
        _, token = await house.add_account(
            is_disabled=who == "disabled", must_change_password=who == "fresh"
        )
        headers = {"Cookie": f"hall_session={token}"}
    elif who == "bearer":
        _, token = await house.add_account()
        headers = {"Authorization": f"Bearer {token}"}
    elif who == "stale":
        headers = {"Cookie": "hall_session=gone"}
    may = visibility is Visibility.PUBLIC or who in {"cookie", "bearer"}
    assert await house.ask(uri, **headers) == (204 if may else 401)


async def test_a_session_ends_and_so_does_its_right(house: House) -> None:
    _, lecture_id = await house.add_replay(Visibility.MEMBERS)
    _, token = await house.add_account()
    headers = {"Cookie": f"hall_session={token}"}
    assert await house.ask(f"/media/{lecture_id}/index.m3u8", **headers) == 204
    house.hall.clock.advance(timedelta(days=31).total_seconds())
    assert await house.ask(f"/media/{lecture_id}/index.m3u8", **headers) == 401


async def test_unknown_objects_tell_nothing(house: House) -> None:
    _, token = await house.add_account()
    for kind in ("live", "media"):
        assert await house.ask(f"/{kind}/{new_id()}/index.m3u8") == 401
        headers = {"Cookie": f"hall_session={token}"}
        assert await house.ask(f"/{kind}/{new_id()}/index.m3u8", **headers) == 403


async def test_a_deleted_lecture_is_gone_with_its_segments(house: House) -> None:
    live_class, lecture_id = await house.add_replay()
    async with house.hall.database.write() as session:
        lecture = await session.get(Lecture, lecture_id)
        assert lecture is not None
        lecture.deleted_at = house.hall.clock.now()
    assert await house.ask(f"/media/{lecture_id}/index.m3u8") == 401
    assert await house.ask(f"/live/{live_class.broadcast_id}/0/av/1.m4s") == 401


async def test_the_lecture_decides_once_the_class_is_over(house: House) -> None:
    live_class, lecture_id = await house.add_replay(Visibility.MEMBERS)
    segment = f"/live/{live_class.broadcast_id}/0/av/1.m4s"
    async with house.hall.database.write() as session:
        lecture = await session.get(Lecture, lecture_id)
        assert lecture is not None
        lecture.visibility = Visibility.PUBLIC
    assert await house.ask(segment) == 204
    async with house.hall.database.write() as session:
        lecture = await session.get_one(Lecture, lecture_id)
        lecture.visibility = Visibility.MEMBERS
        (await session.get_one(LiveClass, live_class.id)).visibility = Visibility.PUBLIC
    assert await house.ask(segment) == 401
    library = house.client.app[LIBRARY]
    assert not await library.is_public_broadcast(live_class.broadcast_id), (
        "no shared cache keeps it"
    )
    other = await house.hall.add_class(visibility=Visibility.MEMBERS, state=ClassState.LIVE)
    assert await house.ask(f"/live/{other.broadcast_id}/index.m3u8") == 401


async def test_path_tricks_are_refused(house: House) -> None:
    public, _ = await house.add_replay()
    secret, _ = await house.add_replay(Visibility.MEMBERS)
    a, b = public.broadcast_id, secret.broadcast_id
    for uri in (
        f"/live/{a}/../{b}/av.m3u8",
        f"/live/{a}/%2e%2e/{b}/av.m3u8",
        f"/live//{a}/av.m3u8",
        f"/live/{a}/..;/{b}/av.m3u8",
        f"/live/{a}",
        "/api/v1/lectures",
        "",
    ):
        expected = 204 if uri == f"/live/{a}" else 403
        assert await house.ask(uri) == expected, uri


async def test_viewers_are_opaque_and_stable(house: House) -> None:
    live_class, _ = await house.add_replay()
    uri = f"/live/{live_class.broadcast_id}/av.m3u8"
    _, token = await house.add_account()
    status, signed_in = await house.ask_viewer(uri, Cookie=f"hall_session={token}; hall_viewer=x")
    assert status == 204
    assert signed_in
    assert token not in signed_in
    again = await house.ask_viewer(uri, Authorization=f"Bearer {token}")
    assert again == (204, signed_in)
    _, anonymous = await house.ask_viewer(uri, Cookie="hall_viewer=x")
    assert anonymous not in {"", "x", signed_in}
    assert await house.ask_viewer(uri) == (204, "")


async def test_an_admission_costs_one_query(house: House) -> None:
    live_class, _ = await house.add_replay(Visibility.MEMBERS)
    _, token = await house.add_account()
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            seen.append(statement)

    engine = house.hall.database.engine.sync_engine
    sqlalchemy_event.listen(engine, "before_cursor_execute", note)
    uri = f"/live/{live_class.broadcast_id}/av.m3u8"
    assert await house.ask(uri, Cookie=f"hall_session={token}") == 204
    sqlalchemy_event.remove(engine, "before_cursor_execute", note)
    assert len([s for s in seen if "live_classes" in s]) == 1
    assert len(seen) == 1


# ---- signed paths ------------------------------------------------------------------------------


async def test_a_signed_path_opens_its_lecture_and_segments_for_four_hours(house: House) -> None:
    live_class, lecture_id = await house.add_replay(Visibility.MEMBERS)
    _, token = await house.add_account()
    async with house.client.post(
        f"/api/v1/lectures/{lecture_id}/signed-url", headers={"Authorization": f"Bearer {token}"}
    ) as response:
        assert response.status == 200
        urls = await response.json()
    uri = urls["hls_url"].removeprefix("https://hall.example")
    signed = uri.split("/")[2]
    segment = f"/live/{live_class.broadcast_id}/0/av/1.m4s"
    assert await house.ask(uri) == 204
    assert await house.ask(f"/signed/{signed}{segment}") == 204
    assert await house.ask(segment, X_Signed_Token=signed) == 204  # As the gate sends it.
    assert await house.ask(segment) == 401
    other, other_id = await house.add_replay(Visibility.MEMBERS)
    assert await house.ask(f"/media/{other_id}/index.m3u8", X_Signed_Token=signed) == 403
    assert await house.ask(f"/live/{other.broadcast_id}/av.m3u8", X_Signed_Token=signed) == 403
    middle = len(signed) // 2
    forged = signed[:middle] + ("A" if signed[middle] != "A" else "B") + signed[middle + 1 :]
    assert await house.ask(uri, X_Signed_Token=forged) == 403
    house.hall.clock.advance(4 * 3600 - 1)
    assert await house.ask(uri) == 204
    house.hall.clock.advance(1)
    assert await house.ask(uri) == 403


async def test_a_signed_path_dies_with_its_account_and_its_right(house: House) -> None:
    live_class, lecture_id = await house.add_replay(Visibility.MEMBERS)
    account_id, _ = await house.add_account()
    now = house.hall.clock.now()

    def sign(account: str | None) -> str:
        path = SignedPath(lecture_id, live_class.broadcast_id, account, now + timedelta(hours=1))
        return f"/signed/{sign_path(KEY, path, now=now)}/media/{lecture_id}/index.m3u8"

    assert await house.ask(sign(account_id)) == 204
    assert await house.ask(sign(None)) == 403  # A stranger's right is not enough.
    async with house.hall.database.write() as session:
        account = await session.get(Account, account_id)
        assert account is not None
        account.is_disabled = True
    assert await house.ask(sign(account_id)) == 403


# ---- delivery ----------------------------------------------------------------------------------


async def fetch(house: House, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with house.client.get(path, headers=sent) as response:
        return response.status, dict(response.headers), await response.read()


async def test_a_recording_plays_at_once(house: House) -> None:
    live_class, lecture_id = await house.add_replay(epochs_count=2)
    status, headers, body = await fetch(house, f"/media/{lecture_id}/index.m3u8")
    assert status == 200
    assert headers["Content-Type"] == "application/vnd.apple.mpegurl"
    assert headers["Cache-Control"] == "public, max-age=5"
    variants = parse_multivariant_playlist(body.decode()).variants
    assert [v.uri for v in variants] == ["recording/1/av.m3u8", "recording/1/audio.m3u8"]
    assert (variants[0].width_px, variants[0].height_px) == (640, 360)
    base = f"/media/{lecture_id}/recording/1/"
    for name in ("av", "audio"):
        status, headers, body = await fetch(house, f"{base}{name}.m3u8")
        assert status == 200
        playlist = parse_media_playlist(body.decode())
        assert playlist.is_ended
        assert [s.is_discontinuity for s in playlist.segments] == [False] * 3 + [True, False, False]
        first = m3u8.loads(body.decode(), uri=f"http://h{base}{name}.m3u8").segments[0]
        assert first.absolute_uri == f"http://h/live/{live_class.broadcast_id}/0/{name}/0.m4s"
    status, _, body = await fetch(house, f"/media/{lecture_id}/audio.m3u8")
    first = m3u8.loads(body.decode(), uri=f"http://h/media/{lecture_id}/audio.m3u8").segments[0]
    assert first.absolute_uri == f"http://h/live/{live_class.broadcast_id}/0/audio/0.m4s"


async def test_an_asset_replaces_the_recording(house: House) -> None:
    _, lecture_id = await house.add_replay(Visibility.MEMBERS)
    prefix = await house.publish(lecture_id)
    status, headers, body = await fetch(house, f"/media/{lecture_id}/index.m3u8")
    assert status == 200
    assert headers["Cache-Control"] == "private, max-age=5"
    playlist = parse_multivariant_playlist(body.decode())
    assert playlist.variants[0].uri == prefix + "360p.m3u8"
    assert playlist.media[0].uri == prefix + "audio.m3u8"
    _, _, body = await fetch(house, f"/media/{lecture_id}/audio.m3u8")
    segment = parse_media_playlist(body.decode()).segments[0]
    assert segment.uri == prefix + "audio.mp4"
    assert segment.init is not None
    assert segment.init.uri == prefix + "audio.mp4"
    status, headers, body = await fetch(house, f"/media/{lecture_id}/{prefix}360p.m3u8")
    assert headers["Cache-Control"] == "private, max-age=31536000, immutable"


async def test_files_of_an_asset_have_ranges_types_and_an_owner(house: House) -> None:
    _, lecture_id = await house.add_replay()
    prefix = await house.publish(lecture_id)
    base = f"/media/{lecture_id}/{prefix}"
    status, headers, body = await fetch(house, base + "360p.mp4", Range="bytes=700-1599")
    assert (status, len(body)) == (206, 900)
    assert headers["Content-Range"] == "bytes 700-1599/2000"
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    types = {"360p.mp4": "video/mp4", "audio.mp4": "audio/mp4", "poster.jpg": "image/jpeg"}
    for name, content_type in types.items():
        assert (await fetch(house, base + name))[1]["Content-Type"] == content_type
    _, other_id = await house.add_replay()
    asset_id = prefix.split("/")[1]
    for path in (
        f"/media/{other_id}/{prefix}360p.mp4",  # Another lecture's right opens nothing here.
        base + "manifest.json",
        base + "..%2f..%2f..%2fhall.db",
        base + "%2e%2e/360p.mp4",
        base + "missing.mp4",
        f"/media/{lecture_id}/assets/{asset_id}/{PLAN_HASH[:-1]}0/360p.mp4",
        f"/media/{lecture_id}/assets/..%2f{asset_id}/{PLAN_HASH}/360p.mp4",
    ):
        status, headers, _ = await fetch(house, path)
        assert status == 404, path


async def test_the_gate_is_told_where_a_local_file_lies(house: House) -> None:
    _, lecture_id = await house.add_replay()
    prefix = await house.publish(lecture_id)
    path = f"/media/{lecture_id}/{prefix}"
    _, headers, body = await fetch(house, path + "360p.mp4", X_Real_IP="10.0.0.1")
    assert headers["X-Accel-Redirect"] == f"/_blobs/{prefix}360p.mp4"
    assert headers["Content-Type"] == "video/mp4"
    assert body == b""
    assert (await fetch(house, path + "gone.mp4", X_Real_IP="10.0.0.1"))[0] == 404


async def test_recorded_segments_are_there_while_streamer_is_away(house: House) -> None:
    live_class, _ = await house.add_replay(Visibility.MEMBERS)
    base = f"live/{live_class.broadcast_id}/0/"
    await house.blobs.put_bytes(base + "av/1.m4s", b"v" * 100, content_type="video/mp4")
    await house.blobs.put_bytes(base + "audio/init-0a.mp4", b"i" * 10, content_type="audio/mp4")
    await house.blobs.put_bytes(
        f"live/{live_class.broadcast_id}/journal.jsonl", b"{}", content_type="x/y"
    )
    status, headers, body = await fetch(house, f"/{base}av/1.m4s", Range="bytes=-40")
    assert (status, len(body), headers["Content-Type"]) == (206, 40, "video/mp4")
    assert headers["Cache-Control"].startswith("private")
    status, headers, _ = await fetch(house, f"/{base}audio/init-0a.mp4")
    assert (status, headers["Content-Type"]) == (200, "audio/mp4")
    for path in (
        f"/{base}av/2.m4s",
        f"/{base}av/1.0.m4s",
        f"/{base}av/..%2f..%2fjournal.jsonl",
        f"/{base}other/1.m4s",
        f"/live/{new_id()}/0/av/1.m4s",
    ):
        assert (await fetch(house, path))[0] == 404, path


async def test_playlists_are_zipped_and_revalidated(house: House) -> None:
    _, lecture_id = await house.add_replay(segments_count=500)
    path = f"/media/{lecture_id}/recording/1/av.m3u8"
    async with house.client.get(path, headers={"Accept-Encoding": "gzip"}) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert int(response.headers["Content-Length"]) < 6000
        text = await response.text()
        assert len(parse_media_playlist(text).segments) == 500
        etag = response.headers["ETag"]
    status, _, body = await fetch(house, path, If_None_Match=etag)
    assert (status, body) == (304, b"")
    status, headers, _ = await fetch(house, path, Accept_Encoding="identity")
    assert "Content-Encoding" not in headers


async def test_nothing_to_play_is_not_found(house: House) -> None:
    _, lecture_id = await house.add_replay()
    for path in (
        f"/media/{new_id()}/index.m3u8",
        f"/media/{lecture_id}/recording/2/av.m3u8",
        f"/media/{lecture_id}/recording/1/video.m3u8",
        f"/media/{lecture_id}/recording/x/av.m3u8",
    ):
        assert (await fetch(house, path))[0] == 404, path
