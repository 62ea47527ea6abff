"""Every row of the delivery table, black box: the real routes over a real window."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from kernel.clock import FakeClock
from kernel.errors import BlobMissingError, CapacityError, NotFoundError
from kernel.hls import parse_media_playlist, parse_multivariant_playlist
from kernel.http import problem_middleware
from kernel.layout import Rendition
from streamer.live import EdgeCache, LiveWindow, Viewers, live_routes
from streamer.live.blocking import ReloadRequest
from streamer.live.store import MediaStore
from streamer.packager import Packager
from streamer.ports import EndReason, Part, SegmentInfo
from tests.unit.streamer.packager.world import SECOND, SMALL, aac, mix, pictures, sound

BASE = "/live/b"


class SpoolReader:
    """Keeps every segment, as the recorder's spool does."""

    def __init__(self) -> None:
        self.segments: dict[tuple[int, str, int], bytes] = {}
        self.reads_count = 0
        self.asked: list[tuple[int, int | None]] = []

    async def read_segment(self, epoch: int, rendition: Rendition, msn: int) -> bytes:
        return b"".join([chunk async for chunk in self.iter_segment(epoch, rendition, msn)])

    async def iter_segment(
        self, epoch: int, rendition: Rendition, msn: int, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        self.reads_count += 1
        self.asked.append((start, end))
        if (epoch, rendition, msn) not in self.segments:
            raise BlobMissingError(f"{epoch}/{rendition}/{msn}")
        data = self.segments[epoch, rendition, msn][start:end]
        for at in range(0, len(data), 1000):
            yield data[at : at + 1000]

    def on_epoch(self, epoch) -> None: ...

    def on_part(self, part) -> None:
        for rendition, media in part.media.items():
            key = (part.epoch, rendition, part.msn)
            self.segments[key] = self.segments.get(key, b"") + media

    def on_segment(self, segment) -> None: ...

    def on_epoch_end(self, epoch, reason) -> None: ...

    def on_end(self) -> None: ...

    def on_reopen(self) -> None: ...


class Origin:
    """One broadcast behind the routes, with a publisher that the test drives."""

    def __init__(self, *, hold_s: float, edge_cache: EdgeCache | None = None) -> None:
        self.clock = FakeClock()
        self.viewers = Viewers(self.clock)
        self.spool = SpoolReader()
        self.window = LiveWindow(
            "b",
            self.spool,
            hold_s=hold_s,
            store=MediaStore(max_ticks=12 * SECOND),
            edge_cache=edge_cache,
        )
        self.packager = Packager("b", [self.spool, self.window], self.clock)
        self.position = 0

    async def find_window(self, broadcast_id: str) -> LiveWindow:
        if broadcast_id != "b":
            raise NotFoundError(f"no broadcast {broadcast_id}")
        return self.window

    def connect(self, *, video: bool = True) -> None:
        self.packager.open_connection("rtmp")
        if video:
            self.packager.set_video_config(SMALL)
        self.packager.set_audio_config(aac(48_000))

    def play(self, seconds: float, *, video: bool = True) -> None:
        """Write so many seconds of media; a part is out once its successor has begun."""
        until = self.position + round(seconds * SECOND)
        tracks = [pictures(until / SECOND + 1), sound(until / SECOND + 1)]
        for unit in mix(*tracks) if video else tracks[1]:
            at = getattr(unit, "dts", unit.pts)
            if self.position <= at < until:
                write = self.packager.write_video if hasattr(unit, "dts") else None
                (write or self.packager.write_audio)(unit)
        self.position = until


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for a condition of the server, with a deadline."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the server's state has no event to wait for.
            await asyncio.sleep(0)


async def serve(origin: Origin) -> TestClient:
    app = web.Application(middlewares=[problem_middleware])
    app.add_routes(live_routes(origin, origin.viewers))
    # aiohttp's test server cancels handlers of clients that left, as our listener does.
    client = TestClient(
        TestServer(app), auto_decompress=False, headers={"Accept-Encoding": "identity"}
    )
    await client.start_server()
    return client


@pytest.fixture
async def origin() -> Origin:
    made = Origin(hold_s=5)
    made.connect()
    made.play(5.2)  # Segments 0 and 1, and parts 2.0 and 2.1.
    return made


@pytest.fixture
async def client(origin: Origin) -> AsyncIterator[TestClient]:
    made = await serve(origin)
    yield made
    await made.close()


async def fetch(client: TestClient, path: str, **kwargs) -> tuple[int, bytes, dict[str, str]]:
    async with client.get(BASE + path, **kwargs) as response:
        return response.status, await response.read(), dict(response.headers)


async def test_the_playlist_lists_what_is_there(client):
    status, body, headers = await fetch(client, "/av.m3u8")
    playlist = parse_media_playlist(body.decode())
    assert status == 200
    assert headers["Content-Type"] == "application/vnd.apple.mpegurl"
    assert headers["Vary"] == "Accept-Encoding"
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Date" in headers["Access-Control-Expose-Headers"]
    assert headers["Cache-Control"] == "public, max-age=1"
    assert [segment.uri for segment in playlist.segments] == ["0/av/0.m4s", "0/av/1.m4s"]
    assert playlist.trailing is not None
    assert len(playlist.trailing.parts) == 2
    assert playlist.preload_hint is not None
    assert playlist.preload_hint.uri == "0/av/2.2.m4s"


async def test_every_listed_address_can_be_read_and_parts_make_the_segment(client):
    for rendition, kind in (("av", "video/mp4"), ("audio", "audio/mp4")):
        _, body, _ = await fetch(client, f"/{rendition}.m3u8")
        playlist = parse_media_playlist(body.decode())
        assert playlist.segments[0].init is not None
        for segment in playlist.segments:
            status, whole, headers = await fetch(client, "/" + segment.uri)
            parts = [(await fetch(client, "/" + part.uri))[1] for part in segment.parts]
            assert status == 200
            assert b"".join(parts) == whole
            assert headers["Content-Type"] == kind
            assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
        status, init, headers = await fetch(client, "/" + playlist.segments[0].init.uri)
        assert (status, init[4:8]) == (200, b"ftyp")
        assert headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    "query",
    [
        "_HLS_part=1",  # MUST
        "_HLS_msn=x",
        "_HLS_msn=-1",
        "_HLS_msn=1.5",
        "_HLS_msn=",
        "_HLS_msn=9999999999999999",
        "_HLS_msn=2&_HLS_part=-1",
        "_HLS_msn=2&_HLS_part=x",
        "_HLS_msn=4",  # Beyond the last segment (1) plus two.
        "_HLS_msn=2&_HLS_part=8",  # Two listed, advance part limit is six.
    ],
)
async def test_impossible_reloads_are_refused_at_once(client, query):
    status, _, headers = await fetch(client, f"/av.m3u8?{query}")
    assert status == 400
    assert headers["Cache-Control"] == "no-store"
    assert headers["Access-Control-Allow-Origin"] == "*"


async def hold(client: TestClient, origin: Origin, path: str) -> asyncio.Task:
    """Send a request and return once the server holds it."""
    before = origin.window.waiters_count
    task = asyncio.create_task(fetch(client, path))
    await eventually(lambda: origin.window.waiters_count > before or task.done())
    assert not task.done(), await task
    return task


async def test_a_reload_for_a_part_is_held_until_it_is_there(client, origin):
    task = await hold(client, origin, "/av.m3u8?_HLS_msn=2&_HLS_part=2")
    origin.play(0.5)
    status, body, headers = await task
    playlist = parse_media_playlist(body.decode())
    assert status == 200
    assert playlist.trailing is not None
    assert len(playlist.trailing.parts) == 3
    assert headers["Cache-Control"] == "public, max-age=4"


async def test_a_reload_for_a_segment_is_held_until_it_is_complete(client, origin):
    task = await hold(client, origin, "/audio.m3u8?_HLS_msn=2")
    origin.play(0.5)
    await asyncio.sleep(0)
    assert not task.done()
    origin.play(0.5)
    _, body, _ = await task
    assert len(parse_media_playlist(body.decode()).segments) == 3


async def test_a_part_beyond_a_complete_segment_means_the_next_ones_first(client, origin):
    status, _, _ = await fetch(client, "/av.m3u8?_HLS_msn=1&_HLS_part=7")
    assert status == 200  # Part 2.0 is there already.
    origin.play(0.9)
    task = await hold(client, origin, "/av.m3u8?_HLS_msn=2&_HLS_part=5")
    origin.play(1)
    status, body, _ = await task
    assert status == 200
    assert parse_media_playlist(body.decode()).media_sequence == 0


async def test_an_old_segment_is_answered_with_the_full_playlist(client):
    status, body, _ = await fetch(client, "/av.m3u8?_HLS_msn=0")
    assert status == 200
    assert len(parse_media_playlist(body.decode()).segments) == 2


async def test_nothing_new_is_503_with_retry_after():
    origin = Origin(hold_s=0.05)
    origin.connect()
    origin.play(3)
    client = await serve(origin)
    for path in ("/av.m3u8?_HLS_msn=1&_HLS_part=1", "/0/av/1.1.m4s"):
        status, _, headers = await fetch(client, path)
        assert status == 503
        assert headers["Retry-After"] == "1"
        assert headers["Cache-Control"] == "no-store"
    assert origin.window.waiters_count == 0
    await client.close()


async def test_no_media_yet_is_503():
    origin = Origin(hold_s=0.05)
    client = await serve(origin)
    for path in ("/index.m3u8", "/av.m3u8"):
        assert (await fetch(client, path))[0] == 503
    await client.close()


async def test_the_hinted_part_is_held_until_all_of_it_is_there(client, origin):
    task = await hold(client, origin, "/0/av/2.2.m4s")
    origin.play(0.5)
    status, body, _ = await task
    assert status == 200
    assert body == origin.spool.segments[0, "av", 2][-len(body) :]


async def test_a_dropped_hint_is_404_at_once(client, origin):
    origin.play(0.4)
    task = await hold(client, origin, "/0/av/2.3.m4s")
    origin.packager.close_connection(EndReason.CONNECTION_LOST)  # Makes 2.3 short but real.
    assert (await task)[0] == 200
    task = await hold(client, origin, "/1/av/3.0.m4s")
    origin.packager.end()
    status, _, headers = await task
    assert (status, headers["Cache-Control"]) == (404, "no-store")


@pytest.mark.parametrize(
    "path",
    [
        "/0/av/2.3.m4s",  # After the hinted one.
        "/0/av/9.0.m4s",
        "/1/av/1.0.m4s",  # Another epoch.
        "/0/av/2.m4s",  # Not complete.
        "/0/av/77.m4s",
        "/0/av/init-0000.mp4",
        "/5/av/init-0000.mp4",
        "/0/video/1.m4s",
        "/0/av/..%2f..%2f1.m4s",
        "/nothing.m3u8",
    ],
)
async def test_unknown_addresses_are_404(client, path):
    assert (await fetch(client, path))[0] == 404


async def test_an_unknown_broadcast_is_404(client):
    async with client.get("/live/other/av.m3u8") as response:
        assert response.status == 404


async def test_waiters_are_woken_by_the_end_with_the_final_playlist(client, origin):
    task = await hold(client, origin, "/av.m3u8?_HLS_msn=2&_HLS_part=2")
    origin.packager.end()
    status, body, _ = await task
    playlist = parse_media_playlist(body.decode())
    assert status == 200
    assert playlist.is_ended
    assert playlist.preload_hint is None
    assert playlist.rendition_reports == ()
    # Directives are ignored now, even impossible ones.
    assert (await fetch(client, "/av.m3u8?_HLS_part=1"))[0] == 200
    assert (await fetch(client, "/av.m3u8?_HLS_msn=99"))[0] == 200


async def test_an_interruption_only_stops_the_growth(client, origin):
    origin.packager.close_connection(EndReason.STALLED)
    _, body, _ = await fetch(client, "/av.m3u8")
    playlist = parse_media_playlist(body.decode())
    assert not playlist.is_ended
    assert playlist.preload_hint is not None
    assert playlist.preload_hint.uri == "1/av/3.0.m4s"
    task = await hold(client, origin, "/av.m3u8?_HLS_msn=3&_HLS_part=0")
    origin.connect()
    origin.position = 0
    origin.play(1)
    _, body, _ = await task
    playlist = parse_media_playlist(body.decode())
    assert playlist.trailing is not None
    assert playlist.trailing.is_discontinuity
    assert playlist.trailing.init is not None


async def test_a_viewer_who_leaves_frees_the_waiter(client, origin):
    task = await hold(client, origin, "/av.m3u8?_HLS_msn=3")
    task.cancel()
    await eventually(lambda: origin.window.waiters_count == 0)
    origin.play(0.5)
    assert (await fetch(client, "/av.m3u8"))[0] == 200


async def test_a_hundred_waiters_share_one_rendering(client, origin):
    tasks = [
        asyncio.create_task(fetch(client, "/av.m3u8?_HLS_msn=2&_HLS_part=2")) for _ in range(80)
    ]
    await eventually(lambda: origin.window.waiters_count == 80)
    origin.play(0.5)
    answers = await asyncio.gather(*tasks)
    assert {status for status, _, _ in answers} == {200}
    assert len({body for _, body, _ in answers}) == 1


async def test_the_first_viewers_are_served_before_the_last_ones_are_woken(origin):
    reload = ReloadRequest(2, 2)
    tasks = [asyncio.create_task(origin.window.read_playlist("av", reload)) for _ in range(100)]
    await eventually(lambda: origin.window.waiters_count == 100)
    origin.play(0.5)
    await eventually(lambda: any(task.done() for task in tasks))
    assert not all(task.done() for task in tasks), "the loop reads its sockets in between"
    async with asyncio.timeout(5):
        assert len({(await task).plain for task in tasks}) == 1


async def test_viewers_who_gave_up_leave_nothing_behind():
    origin = Origin(hold_s=0.02)
    origin.connect()
    origin.play(3)
    for _ in range(3):
        with pytest.raises(CapacityError):
            await origin.window.read_playlist("av", ReloadRequest(1, 1))
    assert not origin.window._waiters


async def test_gzip_is_offered_for_playlists_and_never_for_media(client):
    _, plain, headers = await fetch(client, "/av.m3u8", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in headers
    _, packed, headers = await fetch(client, "/av.m3u8", headers={"Accept-Encoding": "gzip"})
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed) == plain
    _, _, headers = await fetch(client, "/0/av/0.m4s", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in headers


async def test_delta_updates_after_24_seconds(client, origin):
    _, body, _ = await fetch(client, "/av.m3u8?_HLS_skip=YES")
    assert parse_media_playlist(body.decode()).skip is None
    origin.play(35)
    for value in ("YES", "v2"):
        _, body, _ = await fetch(client, f"/av.m3u8?_HLS_skip={value}")
        delta = parse_media_playlist(body.decode())
        assert delta.skip is not None
        assert delta.skip.skipped_count == 8
        assert delta.segments[0].init is not None
        assert delta.segments[0].uri == "0/av/8.m4s"


async def test_segments_that_memory_forgot_come_from_the_spool(client, origin):
    origin.play(40)
    assert origin.window.find_segment(0, "av", 0) is None
    status, body, headers = await fetch(client, "/0/av/0.m4s")
    assert (status, body) == (200, origin.spool.segments[0, "av", 0])
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert origin.spool.reads_count == 1
    status, body, _ = await fetch(client, "/0/av/0.m4s", headers={"Range": "bytes=10-19"})
    assert (status, body) == (206, origin.spool.segments[0, "av", 0][10:20])
    del origin.spool.segments[0, "av", 0]
    assert (await fetch(client, "/0/av/0.m4s"))[0] == 404


async def test_a_lost_segment_becomes_a_gap_once_memory_forgets_it(client, origin):
    origin.window.mark_gap(0)
    _, body, _ = await fetch(client, "/av.m3u8")
    assert not parse_media_playlist(body.decode()).segments[0].is_gap
    origin.play(40)
    _, body, _ = await fetch(client, "/av.m3u8")
    playlist = parse_media_playlist(body.decode())
    assert [segment.is_gap for segment in playlist.segments[:3]] == [True, False, False]
    assert (await fetch(client, "/0/av/0.m4s"))[0] == 404


async def test_ranges_of_media(client):
    _, whole, _ = await fetch(client, "/0/av/0.m4s")
    status, body, headers = await fetch(client, "/0/av/0.m4s", headers={"Range": "bytes=-5"})
    assert (status, body) == (206, whole[-5:])
    assert headers["Content-Range"] == f"bytes {len(whole) - 5}-{len(whole) - 1}/{len(whole)}"
    status, _, _ = await fetch(client, "/0/av/0.m4s", headers={"Range": "bytes=99999999-"})
    assert status == 416
    status, body, _ = await fetch(client, "/0/av/0.m4s", headers={"Range": "bytes=1-2,4-5"})
    assert (status, body) == (200, whole)


async def test_the_multivariant_playlist_tells_what_was_measured(client, origin):
    status, body, _ = await fetch(client, "/index.m3u8")
    playlist = parse_multivariant_playlist(body.decode())
    av, audio = playlist.variants
    assert status == 200
    assert (av.uri, audio.uri) == ("av.m3u8", "audio.m3u8")
    assert av.codecs == ("avc1.42c00c", "mp4a.40.2")
    assert audio.codecs == ("mp4a.40.2",)
    assert (av.width_px, av.height_px, av.frame_rate) == (320, 180, 25)
    real = len(origin.spool.segments[0, "av", 0]) * 8 / 2
    assert abs(av.bandwidth_bps - real) < real * 0.2
    assert audio.bandwidth_bps < av.bandwidth_bps


async def test_without_pictures_there_is_only_the_sound():
    origin = Origin(hold_s=5)
    origin.connect(video=False)
    origin.play(5, video=False)
    client = await serve(origin)
    _, body, _ = await fetch(client, "/index.m3u8")
    assert [v.uri for v in parse_multivariant_playlist(body.decode()).variants] == ["audio.m3u8"]
    await client.close()


async def test_preflight(client):
    async with client.options(f"{BASE}/av.m3u8") as response:
        assert response.status == 204
        assert "Range" in response.headers["Access-Control-Allow-Headers"]


async def test_viewers_are_counted_by_presence(client, origin):
    for _ in range(3):
        await fetch(client, "/av.m3u8", headers={"X-Hall-Viewer": "one"})
    await fetch(client, "/audio.m3u8", headers={"X-Hall-Viewer": "two"})
    await fetch(client, "/av.m3u8", headers={"User-Agent": "a", "X-Real-IP": "10.0.0.1"})
    await fetch(client, "/av.m3u8", headers={"User-Agent": "b", "X-Real-IP": "10.0.0.1"})
    assert origin.viewers.count("b") == 4
    origin.clock.advance(11)
    await fetch(client, "/av.m3u8", headers={"X-Hall-Viewer": "one"})
    origin.clock.advance(2)
    assert origin.viewers.count("b") == 1
    assert origin.viewers.count("other") == 0


async def test_the_presence_table_is_bounded():
    viewers = Viewers(FakeClock(), max_viewers_count=10)
    for number in range(25):
        viewers.note("b", str(number))
    assert viewers.count("b") == 10
    assert viewers.forgotten_count == 15


async def test_the_restored_window_goes_on(origin):
    origin.packager.close_connection(EndReason.CRASH)
    epochs, segments = _journal(origin)
    restored = LiveWindow("b", origin.spool, hold_s=5)
    restored.restore(epochs, segments)
    origin.window = restored
    packager = Packager("b", [origin.spool, restored], origin.clock, origin.packager.resume_point)
    origin.packager, origin.position = packager, 0
    client = await serve(origin)
    status, body, _ = await fetch(client, "/0/av/0.m4s")
    assert (status, body) == (200, origin.spool.segments[0, "av", 0])
    origin.connect()
    origin.play(3)
    _, body, _ = await fetch(client, "/av.m3u8")
    playlist = parse_media_playlist(body.decode())
    assert [segment.uri for segment in playlist.segments] == [
        "0/av/0.m4s", "0/av/1.m4s", "0/av/2.m4s", "1/av/3.m4s",
    ]  # fmt: skip
    assert playlist.segments[3].is_discontinuity
    await client.close()


def _journal(origin: Origin):
    infos = [
        SegmentInfo(
            epoch=s.epoch.epoch,
            msn=s.msn,
            start_ticks=s.start_ticks,
            duration_ticks=s.end_ticks - s.start_ticks,
            sizes={r: len(origin.spool.segments[0, r, s.msn]) for r in ("av", "audio")},
            parts_count=len(s.parts),
        )
        for s in origin.window._segments
    ]
    return list(origin.window._epochs.values()), infos


async def test_the_hint_after_a_restart_names_the_epoch_that_will_come(origin):
    origin.packager.close_connection(EndReason.CRASH)
    epochs, segments = _journal(origin)
    origin.window = LiveWindow("b", origin.spool, hold_s=5)
    origin.window.restore(epochs, segments, next_epoch=2)  # One number may have been lost.
    client = await serve(origin)
    _, body, _ = await fetch(client, "/av.m3u8")
    hint = parse_media_playlist(body.decode()).preload_hint
    assert hint is not None
    assert hint.uri == "2/av/3.0.m4s"
    await client.close()


async def test_an_ended_broadcast_can_be_read_without_its_memory(client, origin):
    origin.window.mark_gap(1)
    origin.packager.end()
    origin.window.forget_media()
    assert origin.window.memory_bytes == 0
    _, body, _ = await fetch(client, "/av.m3u8")
    playlist = parse_media_playlist(body.decode())
    assert [segment.is_gap for segment in playlist.segments] == [False, True, False]
    status, body, headers = await fetch(client, "/0/av/2.m4s")
    assert (status, body) == (200, origin.spool.segments[0, "av", 2])
    assert headers["Content-Length"] == str(len(body))
    origin.packager.reopen()
    origin.connect()
    origin.position = 0
    origin.play(3)
    _, body, _ = await fetch(client, "/av.m3u8")
    assert parse_media_playlist(body.decode()).segments[3].uri == "1/av/3.m4s"


async def test_a_range_reads_only_what_it_asks_for(client, origin):
    origin.play(40)
    whole = origin.spool.segments[0, "av", 0]
    status, body, headers = await fetch(client, "/0/av/0.m4s", headers={"Range": "bytes=10-19"})
    assert (status, body) == (206, whole[10:20])
    assert headers["Content-Range"] == f"bytes 10-19/{len(whole)}"
    assert origin.spool.asked[-1] == (10, 20)
    status, _, headers = await fetch(client, "/0/av/0.m4s", headers={"Range": "bytes=9999999-"})
    assert (status, headers["Access-Control-Allow-Origin"]) == (416, "*")


async def test_viewers_who_left_are_forgotten_though_nobody_counts():
    clock = FakeClock()
    viewers = Viewers(clock, max_viewers_count=100)
    for number in range(90):
        viewers.note("b", str(number))
    clock.advance(13)
    for number in range(45):
        viewers.note("b", f"new-{number}")
    for number in range(90, 130):
        viewers.note("b", str(number))
    assert viewers.forgotten_count == 0
    assert viewers.count("b") == 85


def test_the_edge_stays_in_memory_however_large_it_is():
    store = MediaStore(max_bytes=1)
    for msn in range(6):
        store.add(Part(0, msn, 0, msn * SECOND, SECOND, True, {"av": b"av", "audio": b"a"}))
    # Two closed segments and the open one list parts; one more for a playlist a version old.
    assert [msn for msn in range(6) if msn in store] == [2, 3, 4, 5]


async def test_a_delta_says_what_the_full_playlist_says_wherever_the_epochs_meet(client, origin):
    seen: set[bool] = set()
    for step in range(20):
        if step == 3:
            origin.packager.close_connection(EndReason.CONNECTION_LOST)
            origin.connect()
            origin.position = 0
        origin.play(2)
        _, text, _ = await fetch(client, "/av.m3u8")
        full = parse_media_playlist(text.decode())
        _, text, _ = await fetch(client, "/av.m3u8?_HLS_skip=YES")
        delta = parse_media_playlist(text.decode())
        skipped = delta.skip.skipped_count if delta.skip else 0
        assert delta.media_sequence == full.media_sequence
        assert delta.discontinuity_sequence == full.discontinuity_sequence
        expected = list(full.segments[skipped:])
        if skipped:
            maps = [segment.init for segment in full.segments[: skipped + 1] if segment.init]
            expected[0] = replace(expected[0], init=maps[-1])
            seen.add(full.segments[skipped].is_discontinuity)
        assert list(delta.segments) == expected
    assert seen == {True, False}, "the border was the first segment listed, too"
