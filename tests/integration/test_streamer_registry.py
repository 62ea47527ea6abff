"""The registry with everything real below it: packager, window, spool, folder store, outbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from kernel.blobs.directory import DirectoryBlobStore
from kernel.blobs.executor import BoundedExecutor
from kernel.clock import SystemClock
from kernel.errors import ConflictError, DependencyError, NotAllowedError, NotFoundError
from kernel.ids import new_id
from kernel.layout import broadcast_prefix, journal_key
from kernel.messages import BROADCAST_EVENTS, BroadcastEvent, PublishGrant, PublishRequest
from streamer.broadcast.factory import BroadcastFactory, Equipment
from streamer.broadcast.publication import ActivePublication
from streamer.broadcast.registry import LINGER_S, BroadcastRegistry
from streamer.broadcast.state import BroadcastState
from streamer.broadcast.tasks import Supervisor
from streamer.live import Viewers
from streamer.media import AudioUnit
from streamer.ports import EndReason
from streamer.recorder.writer import SpoolWriter
from tests.support.aac import encode_sine
from tests.support.waiting import eventually


class ShiftedClock(SystemClock):
    """The machine's clock, ahead by what the test says."""

    ahead_s = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead_s)

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.ahead_s


class BrokenClock(SystemClock):
    """A defect that only one class has."""

    def monotonic_s(self) -> float:
        raise ValueError("a defect")


@dataclass
class SmallVod:
    """Gatekeeper and event sender in one; can be away."""

    grants: dict[str, PublishGrant] = field(default_factory=dict)
    events: list[BroadcastEvent] = field(default_factory=list)
    asked_count: int = 0
    is_away: bool = False
    on_granted: Callable[[], None] | None = None

    async def ask(self, request: PublishRequest) -> PublishGrant:
        self.asked_count += 1
        if self.is_away:
            raise DependencyError("vod is away")
        if request.credential not in self.grants:
            raise NotAllowedError("no")
        grant = self.grants[request.credential]
        on_granted, self.on_granted = self.on_granted, None
        if on_granted is not None:
            on_granted()
        return grant

    async def call(self, method, path, *, body=None):
        assert (method, path) == ("POST", "/internal/events")
        if self.is_away:
            raise DependencyError("vod is away")
        known = {event.event_id for event in self.events}
        for event in BROADCAST_EVENTS.validate_json(body):
            if event.event_id not in known:
                self.events.append(event)

    def kinds(self) -> list[str]:
        return [event.type for event in self.events if event.type != "segments_stored"]


@dataclass
class Peer:
    """An ingest connection that remembers what it was told."""

    peer: str = "1.2.3.4:5"
    protocol: str = "rtmp"
    evicted: EndReason | None = None

    def evict(self, reason: EndReason) -> None:
        self.evicted = reason

    def request_keyframe(self) -> None: ...


@dataclass
class House:
    registry: BroadcastRegistry
    vod: SmallVod
    clock: ShiftedClock
    blobs: DirectoryBlobStore
    spool: Path
    broadcast_id: str

    async def admit(self, peer: Peer, key: str = "key") -> ActivePublication:
        request = PublishRequest(protocol="rtmp", credential=key, peer=peer.peer)
        return await self.registry.admit(request, peer)

    @property
    def broadcast(self):
        found = self.registry.find(self.broadcast_id)
        assert found is not None
        return found

    async def state(self) -> str:
        return (await self.registry.get_status(self.broadcast_id)).state


@pytest.fixture
def sound():
    return encode_sine(0.3, 60)


@asynccontextmanager
async def open_house(
    folder: Path,
    *,
    vod: SmallVod | None = None,
    broadcast_id: str | None = None,
    store: type[DirectoryBlobStore] = DirectoryBlobStore,
) -> AsyncIterator[House]:
    broadcast_id = broadcast_id or new_id()
    vod = vod or SmallVod()
    vod.grants.setdefault(
        "key", PublishGrant(live_class_id="c1", broadcast_id=broadcast_id, title="课")
    )
    clock, blobs = ShiftedClock(), store(folder / "blobs")
    disk = BoundedExecutor("disk-test", workers=2, max_pending=64)
    supervisor = Supervisor()
    async with SpoolWriter(folder / "spool") as writer:
        equipment = Equipment(
            spool=folder / "spool", writer=writer, blobs=blobs, disk=disk, decoder=disk,
            sender=vod, clock=clock,
        )  # fmt: skip
        registry = BroadcastRegistry(
            BroadcastFactory(equipment, supervisor), supervisor,
            gatekeeper=vod, viewers=Viewers(clock), clock=clock,
        )  # fmt: skip
        try:
            async with registry:
                yield House(registry, vod, clock, blobs, folder / "spool", broadcast_id)
        finally:
            await supervisor.close()
    await blobs.close()
    await disk.close()


def talk(publication: ActivePublication, sound, *, seconds: float, start: int = 0) -> int:
    """Write audio-only media at once; return where it ended, in ticks."""
    config, frames = sound
    publication.set_audio_config(config)
    ticks = start
    for number in range(int(seconds * 48_000 / 1024)):
        publication.write_audio(AudioUnit(ticks, frames[number % len(frames)]))
        ticks += 1920
    return ticks


async def wait_live(house: House) -> None:
    await eventually(lambda: house.broadcast.state is BroadcastState.LIVE, timeout_s=8)


async def test_a_newer_connection_takes_over_until_it_becomes_a_fight(
    tmp_path: Path, sound
) -> None:
    async with open_house(tmp_path) as house:
        peers = [Peer(f"10.0.0.{number}:1") for number in range(5)]
        publication = await house.admit(peers[0])
        talk(publication, sound, seconds=4)
        await wait_live(house)
        for number in (1, 2, 3):
            await house.admit(peers[number])
            assert peers[number - 1].evicted is EndReason.TAKEN_OVER
        talk(publication, sound, seconds=3)  # Units of an evicted connection go nowhere.
        with pytest.raises(ConflictError):
            await house.admit(peers[4])
        assert peers[3].evicted is None
        status = await house.registry.get_status(house.broadcast_id)
        assert status.health is not None
        assert "contested" in status.health.warnings
        assert status.recorded_s == pytest.approx(4, abs=0.2)
        house.clock.ahead_s = 3.0
        with pytest.raises(ConflictError):
            await house.admit(peers[4])


async def test_a_silent_publisher_is_put_out_and_the_class_waits(tmp_path: Path, sound) -> None:
    async with open_house(tmp_path) as house:
        peer = Peer()
        talk(await house.admit(peer), sound, seconds=4)
        await wait_live(house)
        house.clock.ahead_s = 5.0
        await eventually(lambda: peer.evicted is EndReason.STALLED, timeout_s=1)
        assert await house.state() == "interrupted"
        await eventually(lambda: house.vod.kinds() == ["epoch_started", "epoch_ended"])


async def test_a_known_key_comes_back_without_vod_and_a_withdrawn_one_does_not_stay(
    tmp_path: Path, sound
) -> None:
    async with open_house(tmp_path) as house:
        first = await house.admit(Peer())
        talk(first, sound, seconds=4)
        first.close(EndReason.CONNECTION_LOST)
        house.vod.is_away = True
        second = await house.admit(Peer())
        assert second.is_active
        with pytest.raises(DependencyError):
            await house.admit(Peer(), "unknown")
        second.close(EndReason.CONNECTION_LOST)
        house.vod.is_away = False
        del house.vod.grants["key"]
        peer = Peer()
        await house.admit(peer)
        await eventually(lambda: peer.evicted is not None)
        with pytest.raises(NotAllowedError):
            await house.admit(Peer())


async def test_a_replaced_key_puts_the_publisher_out_and_is_not_remembered(
    tmp_path: Path, sound
) -> None:
    async with open_house(tmp_path) as house:
        peer = Peer()
        publication = await house.admit(peer)
        talk(publication, sound, seconds=4)
        await wait_live(house)
        house.vod.grants["new"] = house.vod.grants.pop("key")
        house.registry.revoke_credentials(house.broadcast_id)
        assert peer.evicted is EndReason.KEY_REPLACED
        assert not publication.is_active
        assert await house.state() == "interrupted"
        with pytest.raises(NotAllowedError):
            await house.admit(Peer())
        assert (await house.admit(Peer(), "new")).is_active
        with pytest.raises(NotFoundError):
            house.registry.revoke_credentials(new_id())
    async with open_house(tmp_path, vod=house.vod, broadcast_id=house.broadcast_id) as again:
        again.vod.is_away = True
        with pytest.raises(DependencyError):
            await again.admit(Peer())
        assert (await again.admit(Peer(), "new")).is_active, "the journal knows the new key only"


async def test_a_grant_from_before_the_key_was_replaced_does_not_count(
    tmp_path: Path, sound
) -> None:
    async with open_house(tmp_path) as house:
        talk(await house.admit(Peer()), sound, seconds=4)
        house.vod.grants["late"] = house.vod.grants["key"]

        def replace_key() -> None:
            del house.vod.grants["late"]
            house.registry.revoke_credentials(house.broadcast_id)

        house.vod.on_granted = replace_key
        with pytest.raises(NotAllowedError):
            await house.admit(Peer(), "late")
        assert not house.broadcast.has_publisher


async def test_a_return_in_the_moment_of_archiving_finds_the_whole_class(
    tmp_path: Path, sound
) -> None:
    async with open_house(tmp_path) as house:
        talk(await house.admit(Peer()), sound, seconds=7)
        await wait_live(house)
        await house.registry.end(house.broadcast_id, "over")
        await eventually(lambda: house.vod.kinds()[-1:] == ["recording_stored"])
        await eventually(lambda: house.broadcast.outbox.is_empty)
        recorded = house.broadcast.recorder.build_index()
        house.clock.ahead_s = LINGER_S + 1
        reaping = asyncio.create_task(house.registry.reap())
        await eventually(lambda: house.registry.find(house.broadcast_id) is None)
        await house.registry.reopen(house.broadcast_id)
        await reaping
        assert await house.state() == "interrupted"
        assert house.broadcast.recorder.build_index() == recorded
        assert (house.spool / house.broadcast_id / "journal.jsonl").exists()
        assert (await house.admit(Peer())).is_active


async def test_a_class_whose_time_cannot_pass_does_not_stop_the_others(
    tmp_path: Path, sound
) -> None:
    async with open_house(tmp_path) as house:
        house.vod.grants["other"] = PublishGrant(
            live_class_id="c2", broadcast_id=new_id(), title="课"
        )
        talk(await house.admit(Peer()), sound, seconds=4)
        await wait_live(house)
        other = Peer()
        await house.admit(other, "other")
        with capture_logs() as logs:
            house.broadcast.clock = BrokenClock()
            house.clock.ahead_s = 5.0
            await eventually(lambda: other.evicted is EndReason.STALLED)
            house.broadcast.clock = house.clock
        assert {line["broadcast_id"] for line in logs if line["event"] == "tick_failed"} == {
            house.broadcast_id
        }


async def test_an_ended_class_is_archived_and_can_still_be_read_and_reopened(
    tmp_path: Path, sound
) -> None:
    async with open_house(tmp_path) as house:
        talk(await house.admit(Peer()), sound, seconds=7)
        await wait_live(house)
        await house.registry.end(house.broadcast_id, "over")
        with pytest.raises(NotAllowedError):
            await house.admit(Peer())
        await eventually(lambda: house.vod.kinds()[-1:] == ["recording_stored"])
        await eventually(lambda: house.broadcast.outbox.is_empty)
        index = house.broadcast.recorder.build_index()
        await house.registry.reap()
        assert house.registry.find(house.broadcast_id) is not None
        house.clock.ahead_s = LINGER_S + 1
        await house.registry.reap()
        assert house.registry.find(house.broadcast_id) is None
        assert not (house.spool / house.broadcast_id).exists()
        window = await house.registry.find_window(house.broadcast_id)
        assert window.is_ended
        assert window.duration_ticks == index.duration_ticks
        segment = index.epochs[0].segments[0]
        media = await window.reader.read_segment(0, "audio", segment.msn)
        assert len(media) == segment.audio_bytes
        assert await house.state() == "ended"
        await house.registry.end(house.broadcast_id, "again")

        await house.registry.reopen(house.broadcast_id)
        assert await house.state() == "interrupted"
        talk(await house.admit(Peer()), sound, seconds=4)
        await wait_live(house)
        await house.registry.end(house.broadcast_id, "really over")
        await eventually(lambda: house.vod.kinds().count("recording_stored") == 2)
        versions = [e.recording_version for e in house.vod.events if e.type == "broadcast_ended"]
        assert versions == [1, 2]
        longer = house.broadcast.recorder.build_index()
        assert longer.epochs[0] == index.epochs[0]
        assert longer.duration_ticks > index.duration_ticks
        assert len({event.event_id for event in house.vod.events}) == len(house.vod.events)
        assert house.vod.kinds().count("epoch_started") == 2


async def test_forgetting_deletes_what_is_left_of_the_live_media(tmp_path: Path, sound) -> None:
    async with open_house(tmp_path) as house:
        talk(await house.admit(Peer()), sound, seconds=4)
        await wait_live(house)
        await house.registry.forget_live(house.broadcast_id)
        assert house.registry.find(house.broadcast_id) is not None  # Not while it is open.
        await house.registry.end(house.broadcast_id, "over")
        await eventually(lambda: house.vod.kinds()[-1:] == ["recording_stored"])
        async for info in house.blobs.list_keys(broadcast_prefix(house.broadcast_id)):
            await house.blobs.delete(info.key)
        await house.registry.forget_live(house.broadcast_id)
        with pytest.raises(NotFoundError):
            await house.registry.find_window(house.broadcast_id)
        with pytest.raises(NotFoundError):
            await house.registry.get_status(house.broadcast_id)


async def test_a_restart_sends_what_vod_never_heard(tmp_path: Path, sound) -> None:
    vod, broadcast_id = SmallVod(), new_id()
    async with open_house(tmp_path, vod=vod, broadcast_id=broadcast_id) as house:
        publication = await house.admit(Peer())
        vod.is_away = True
        talk(publication, sound, seconds=4)
        await wait_live(house)
    assert vod.events == []
    events = tmp_path / "spool" / broadcast_id / "events.jsonl"
    await asyncio.to_thread(events.unlink)  # A crash before the outbox reached the disk.
    vod.is_away = False
    async with open_house(tmp_path, vod=vod, broadcast_id=broadcast_id) as house:
        await eventually(lambda: vod.kinds() == ["epoch_started", "epoch_ended"])
        assert await house.state() == "interrupted"
        await house.registry.end(broadcast_id, "over")
        await eventually(lambda: vod.kinds()[-1:] == ["recording_stored"])


async def test_an_ended_class_that_was_not_stored_goes_on_uploading_after_a_restart(
    tmp_path: Path, sound
) -> None:
    vod, broadcast_id = SmallVod(), new_id()
    (tmp_path / "blobs").write_bytes(b"not a folder: every upload fails")
    async with open_house(tmp_path, vod=vod, broadcast_id=broadcast_id) as house:
        talk(await house.admit(Peer()), sound, seconds=6)
        await wait_live(house)
        await house.registry.end(broadcast_id, "over")
        await eventually(lambda: vod.kinds()[-1:] == ["broadcast_ended"])
        window = await house.registry.find_window(broadcast_id)
        index = house.broadcast.recorder.build_index()
        first = index.epochs[0].segments[0]
        assert len(await window.reader.read_segment(0, "av", first.msn)) == first.av_bytes
    await asyncio.to_thread((tmp_path / "blobs").unlink)
    async with open_house(tmp_path, vod=vod, broadcast_id=broadcast_id) as house:
        await eventually(lambda: vod.kinds()[-1:] == ["recording_stored"])
        assert vod.kinds().count("broadcast_ended") == 1
        sizes = {info.key: info.size_bytes async for info in house.blobs.list_keys("live/")}
        for segment in index.epochs[0].segments:
            assert sizes[f"live/{broadcast_id}/0/av/{segment.msn}.m4s"] == segment.av_bytes


class HangingStore(DirectoryBlobStore):
    """Answers nothing for a minute."""

    async def download(self, key, path):
        await asyncio.sleep(60)
        raise AssertionError(f"nobody waits a minute for {key} at {path}")


async def test_a_class_begins_although_the_store_hangs_and_overwrites_nothing(
    tmp_path: Path, sound
) -> None:
    async with open_house(tmp_path, store=HangingStore) as house:
        talk(await house.admit(Peer()), sound, seconds=4)
        await wait_live(house)
        epoch = house.broadcast.recorder.history.epochs[0].info.epoch
        assert 1_000_000 < epoch < 1_000_000_000


class LateStore(DirectoryBlobStore):
    """A download goes on when nobody waits for it any more, as threads do."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.has_begun = asyncio.Event()
        self.late: asyncio.Task[object] | None = None

    async def download(self, key, path):
        async def copy() -> object:
            await self.has_begun.wait()
            return await DirectoryBlobStore.download(self, key, path)

        self.late = asyncio.create_task(copy())
        return await asyncio.shield(self.late)


async def test_a_journal_that_comes_too_late_does_not_replace_the_one_begun(
    tmp_path: Path, sound, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.broadcast.factory.FETCH_TIMEOUT_S", 0.1)
    async with open_house(tmp_path, store=LateStore) as house:
        await house.blobs.put_bytes(
            journal_key(house.broadcast_id), b"an older journal\n", content_type="text/plain"
        )
        talk(await house.admit(Peer()), sound, seconds=4)
        await wait_live(house)
        await house.broadcast.recorder.flush()
        house.blobs.has_begun.set()
        await house.blobs.late
        journal = house.spool / house.broadcast_id / "journal.jsonl"
        assert house.broadcast_id in await asyncio.to_thread(journal.read_text)


@pytest.mark.parametrize("name", ["..", "a/b", "", "x" * 65, "live"])
async def test_ids_that_are_no_ids_are_unknown(tmp_path: Path, name: str) -> None:
    async with open_house(tmp_path) as house:
        with pytest.raises(NotFoundError):
            await house.registry.find_window(name)
        with pytest.raises(NotFoundError):
            await house.registry.reopen(name)
