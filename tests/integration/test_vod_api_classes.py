"""Live classes through the API: rights, visibility, keys, end, reopen, live status."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from kernel.errors import NotAllowedError
from kernel.messages import PublishGrant, PublishRequest
from tests.support.vod import (
    StatementCount,
    Vod,
    database_url,
    databases,
    make_index,
    sqlite_url,
    sqlite_vod,
    vod,
)
from tests.support.waiting import eventually
from vod.accounts.roles import Role
from vod.classes.endings import carry_wishes, end_idle_classes

__all__ = ["database_url", "databases", "sqlite_url", "sqlite_vod", "vod"]  # Fixtures.


def rtmp(stream_key: str) -> PublishRequest:
    return PublishRequest(protocol="rtmp", credential=stream_key, peer="10.0.0.1:5000")


async def publish(vod: Vod, request: PublishRequest) -> PublishGrant:
    return PublishGrant.model_validate(
        await vod.internal.call("POST", "/internal/publish", body=request)
    )


async def go_live(vod: Vod, created: dict[str, Any]) -> str:
    """Let media flow; returns the broadcast id."""
    grant = await publish(vod, rtmp(created["publish"]["stream_key"]))
    vod.streamer.put(grant.broadcast_id)
    await vod.send_event("epoch_started", grant.broadcast_id, epoch=0, protocol="rtmp",
                         width_px=1280, height_px=720)  # fmt: skip
    return grant.broadcast_id


async def show(vod: Vod, class_id: str, role: Role | None = None) -> dict[str, Any]:
    answer = await vod.call("GET", f"/live-classes/{class_id}", role=role)
    assert answer.status == 200, answer.body
    shown: dict[str, Any] = answer.body
    return shown


async def test_an_instructor_creates_a_class_and_gets_what_an_encoder_needs(vod: Vod) -> None:
    created = await vod.add_class(starts_at="2026-07-02T09:00:00+08:00")
    assert created["state"] == "scheduled"
    assert created["starts_at"] == "2026-07-02T01:00:00Z"
    assert created["watch_url"] == f"{vod.base}/classes/{created['id']}"
    assert created["instructor"]["id"] == vod.account_ids[Role.INSTRUCTOR]
    assert (created["viewers"], created["playback"], created["replay"]) == (0, None, None)
    keys = created["publish"]
    assert keys["rtmp_url"] == "rtmp://127.0.0.1:1935/live"
    assert keys["stream_key"].startswith(created["id"] + "-")
    assert keys["whip_url"] == f"{vod.base}/whip/{created['id']}"
    again = await vod.call("GET", f"/live-classes/{created['id']}/publish", role=Role.INSTRUCTOR)
    assert again.body == keys
    assert "publish" not in await show(vod, created["id"], Role.INSTRUCTOR)


async def test_urls_follow_the_address_people_use(sqlite_vod: Vod) -> None:
    created = await sqlite_vod.add_class()
    path = f"/live-classes/{created['id']}/publish"
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "hall.example.cn:8443"}
    shown = await sqlite_vod.call("GET", path, role=Role.ADMIN, headers=headers)
    assert shown.body["whip_url"].startswith("https://hall.example.cn:8443/whip/")
    assert shown.body["rtmp_url"] == "rtmp://hall.example.cn:1935/live"
    hostile = await sqlite_vod.call("GET", path, role=Role.ADMIN, headers={"Host": 'x"<script>'})
    assert hostile.body["whip_url"].startswith("http://localhost:8080/whip/")


@pytest.mark.parametrize("role", [None, Role.MEMBER, Role.UNIT_ADMIN])
async def test_others_create_nothing(sqlite_vod: Vod, role: Role | None) -> None:
    body = {"title": "党课", "visibility": "public"}
    answer = await sqlite_vod.call("POST", "/live-classes", role=role, json=body)
    assert answer.status == (401 if role is None else 403)


async def test_an_instructor_cannot_name_another_but_an_editor_can(vod: Vod) -> None:
    other = await vod.add_account("other", Role.INSTRUCTOR)
    member = await vod.add_account("plain", Role.MEMBER)
    body = {"title": "党课", "visibility": "public", "instructor_id": other}
    refused = await vod.call("POST", "/live-classes", role=Role.INSTRUCTOR, json=body)
    assert refused.status == 403
    created = await vod.call("POST", "/live-classes", role=Role.EDITOR, json=body)
    assert (created.status, created.body["instructor"]["id"]) == (201, other)
    body["instructor_id"] = member
    wrong = await vod.call("POST", "/live-classes", role=Role.EDITOR, json=body)
    assert (wrong.status, wrong.body["field"]) == (422, "instructor_id")


async def test_a_members_class_does_not_exist_for_the_anonymous(vod: Vod) -> None:
    created = await vod.add_class(visibility="members", title="内部课")
    path = f"/live-classes/{created['id']}"
    hidden = await vod.call("GET", path)
    missing = await vod.call("GET", "/live-classes/" + "0" * 20)
    assert (hidden.status, hidden.body) == (404, missing.body)
    assert (await vod.call("GET", "/live-classes")).body["total"] == 0
    assert (await vod.call("GET", "/home")).body["upcoming"] == []
    assert (await show(vod, created["id"], Role.MEMBER))["title"] == "内部课"
    assert (await vod.call("GET", "/live-classes", role=Role.MEMBER)).body["total"] == 1


async def test_only_who_teaches_or_curates_manages(vod: Vod) -> None:
    created = await vod.add_class()
    await vod.add_account("other", Role.INSTRUCTOR)
    stranger = (await vod.sign_in("other")).body["token"]
    member = await vod.token_of(Role.MEMBER)
    path = f"/live-classes/{created['id']}"
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("PATCH", path, {"json": {"title": "x"}}),
        ("DELETE", path, {}),
        ("GET", path + "/publish", {}),
        ("POST", path + "/rotate-key", {}),
        ("POST", path + "/end", {}),
        ("POST", path + "/reopen", {}),
    ]
    for method, target, options in calls:
        assert (await vod.call(method, target, **options)).status == 401, target
        for token in (stranger, member):
            answer = await vod.call(method, target, token=token, **options)
            assert answer.status == 403, target
    for role in (Role.INSTRUCTOR, Role.EDITOR, Role.ADMIN):
        assert (await show(vod, created["id"], role))["may_manage"]
    assert not (await show(vod, created["id"]))["may_manage"]


async def test_a_change_keeps_what_was_left_out_and_null_clears(vod: Vod) -> None:
    created = await vod.add_class(
        starts_at="2026-07-02T01:00:00Z", planned_end="2026-07-02T03:00:00Z", description="旧"
    )
    path = f"/live-classes/{created['id']}"
    changed = await vod.call("PATCH", path, role=Role.INSTRUCTOR, json={"title": " 新的 "})
    assert (changed.body["title"], changed.body["description"]) == ("新的", "旧")
    early = {"planned_end": "2026-07-02T00:00:00Z"}
    refused = await vod.call("PATCH", path, role=Role.INSTRUCTOR, json=early)
    assert (refused.status, refused.body["field"]) == (422, "planned_end")
    cleared = await vod.call("PATCH", path, role=Role.INSTRUCTOR, json={"starts_at": None})
    assert cleared.body["starts_at"] is None
    assert cleared.body["planned_end"] == "2026-07-02T03:00:00Z"
    unknown = await vod.call("PATCH", path, role=Role.INSTRUCTOR, json={"titel": "x"})
    assert unknown.status == 422


async def test_publishing_is_granted_to_the_right_key_only(vod: Vod) -> None:
    created = await vod.add_class()
    keys = created["publish"]
    grant = await publish(vod, rtmp(keys["stream_key"]))
    assert (grant.live_class_id, grant.title) == (created["id"], "党史第一课")
    whip = PublishRequest(
        protocol="whip", credential=keys["whip_token"], live_class_id=created["id"], peer="p"
    )
    assert (await publish(vod, whip)).broadcast_id == grant.broadcast_id
    for wrong in (
        rtmp(keys["whip_token"]),
        rtmp(created["id"] + "-" + "0" * 26),
        rtmp("0" * 20 + keys["stream_key"][20:]),
        rtmp(""),
        rtmp("é" * 100),
        whip.model_copy(update={"live_class_id": None}),
        whip.model_copy(update={"live_class_id": "../etc"}),
        whip.model_copy(update={"credential": keys["stream_key"]}),
    ):
        with pytest.raises(NotAllowedError, match="wrong"):
            await publish(vod, wrong)


async def test_a_rotated_key_and_an_ended_class_are_refused_with_the_reason(vod: Vod) -> None:
    created = await vod.add_class()
    path = f"/live-classes/{created['id']}"
    old = created["publish"]["stream_key"]
    new = (await vod.call("POST", path + "/rotate-key", role=Role.INSTRUCTOR)).body["stream_key"]
    assert new != old
    with pytest.raises(NotAllowedError, match="replaced"):
        await publish(vod, rtmp(old))
    assert await publish(vod, rtmp(new))
    ended = await vod.call("POST", path + "/end", role=Role.INSTRUCTOR)
    assert (ended.status, ended.body["state"]) == (200, "ended")
    assert vod.streamer.ended == [], "a class that was never live ends without streamer"
    with pytest.raises(NotAllowedError, match="ended"):
        await publish(vod, rtmp(new))
    reopened = await vod.call("POST", path + "/reopen", role=Role.INSTRUCTOR)
    assert reopened.body["state"] == "scheduled"
    assert await publish(vod, rtmp(new))


async def test_replacing_the_key_of_a_live_class_puts_its_publisher_out(vod: Vod) -> None:
    created = await vod.add_class()
    path = f"/live-classes/{created['id']}/rotate-key"
    created["publish"] = (await vod.call("POST", path, role=Role.INSTRUCTOR)).body
    assert vod.streamer.revoked == [], "streamer does not know a class that nobody published"
    broadcast_id = await go_live(vod, created)
    vod.streamer.put(broadcast_id)
    assert (await vod.call("POST", path, role=Role.INSTRUCTOR)).status == 200
    assert vod.streamer.revoked == [broadcast_id]


async def test_a_live_class_shows_where_to_watch_and_how_it_is_doing(vod: Vod) -> None:
    created = await vod.add_class()
    broadcast_id = await go_live(vod, created)
    vod.streamer.put(broadcast_id, health=vod.make_health())
    shown = await show(vod, created["id"])
    assert (shown["state"], shown["viewers"]) == ("live", 7)
    base = f"{vod.base}/live/{broadcast_id}"
    assert shown["playback"] == {
        "hls_url": f"{base}/index.m3u8",
        "audio_url": f"{base}/audio.m3u8",
        "whep_url": f"{vod.base}/whep/{broadcast_id}",
    }
    assert shown["recording"] == {"recorded_s": 12.0, "stored_s": 8.0}
    assert shown["health"] is None, "health is for managers"
    vod.clock.advance(2)
    assert (await show(vod, created["id"], Role.INSTRUCTOR))["health"]["fps"] == 25.0
    vod.streamer.put(broadcast_id, has_b_frames=True)
    vod.clock.advance(2)
    assert (await show(vod, created["id"]))["playback"]["whep_url"] is None


async def test_streamer_is_asked_once_a_second_and_for_all_at_once(sqlite_vod: Vod) -> None:
    vod = sqlite_vod
    for _ in range(3):
        await go_live(vod, await vod.add_class())
    vod.streamer.asked.clear()
    vod.clock.advance(2)
    await asyncio.gather(*(vod.call("GET", "/live-classes") for _ in range(10)))
    assert [len(batch) for batch in vod.streamer.asked] == [3]


async def test_pages_stay_fast_and_known_while_streamer_hangs(sqlite_vod: Vod) -> None:
    vod = sqlite_vod
    created = await vod.add_class()
    await go_live(vod, created)
    assert (await show(vod, created["id"]))["viewers"] == 7
    vod.clock.advance(2)
    vod.streamer.held.clear()
    async with asyncio.timeout(3):
        assert (await show(vod, created["id"]))["viewers"] == 7
    vod.streamer.held.set()
    vod.clock.advance(6)
    vod.streamer.put((await show(vod, created["id"]))["playback"]["hls_url"].split("/")[-2])


async def test_ending_waits_for_the_event_and_makes_the_replay(vod: Vod) -> None:
    created = await vod.add_class()
    broadcast_id = await go_live(vod, created)
    path = f"/live-classes/{created['id']}"

    async def finish() -> None:
        await eventually(lambda: vod.streamer.ended)
        await vod.send_ended(broadcast_id)

    ended, _ = await asyncio.gather(vod.call("POST", path + "/end", role=Role.INSTRUCTOR), finish())
    assert ended.body["state"] == "ended"
    assert ended.body["playback"] is None
    assert ended.body["replay"]["duration_s"] == make_index(broadcast_id).duration_ticks / 90_000
    lecture_id = ended.body["replay"]["lecture_id"]
    assert ended.body["replay"]["playback"]["hls_url"] == (
        f"{vod.base}/media/{lecture_id}/index.m3u8"
    )
    again = await vod.call("POST", path + "/end", role=Role.INSTRUCTOR)
    assert (again.status, again.body["state"]) == (200, "ended")
    lecture = await vod.call("GET", f"/lectures/{lecture_id}")
    assert (lecture.body["state"], lecture.body["live_class_id"]) == ("playable", created["id"])


async def test_the_wish_to_end_survives_a_streamer_that_is_away(vod: Vod) -> None:
    created = await vod.add_class()
    broadcast_id = await go_live(vod, created)
    await vod.stop_streamer()
    answer = await vod.call("POST", f"/live-classes/{created['id']}/end", role=Role.INSTRUCTOR)
    assert (answer.status, answer.body["state"], answer.body["is_ending"]) == (200, "live", True)
    with pytest.raises(NotAllowedError, match="ended"):
        await publish(vod, rtmp(created["publish"]["stream_key"]))
    await vod.start_streamer()
    services, now = vod.services, vod.clock.now()
    assert await carry_wishes(services.database, services.streamer, now=now) == 1
    assert vod.streamer.ended == [broadcast_id]
    await vod.send_ended(broadcast_id)
    assert await carry_wishes(services.database, services.streamer, now=now) == 0
    assert (await show(vod, created["id"]))["state"] == "ended"


async def test_a_broadcast_that_streamer_lost_ends_here(vod: Vod) -> None:
    created = await vod.add_class()
    broadcast_id = await go_live(vod, created)
    del vod.streamer.statuses[broadcast_id]
    answer = await vod.call("POST", f"/live-classes/{created['id']}/end", role=Role.INSTRUCTOR)
    assert (answer.body["state"], answer.body["replay"]) == ("ended", None)


async def test_a_reopened_class_goes_on_in_the_same_lecture(vod: Vod) -> None:
    created = await vod.add_class()
    path = f"/live-classes/{created['id']}"
    broadcast_id = await go_live(vod, created)
    refused = await vod.call("POST", path + "/reopen", role=Role.INSTRUCTOR)
    assert refused.status == 409
    await vod.send_ended(broadcast_id)
    first = await show(vod, created["id"])
    reopened = await vod.call("POST", path + "/reopen", role=Role.INSTRUCTOR)
    assert (reopened.status, reopened.body["state"]) == (200, "interrupted")
    assert vod.streamer.reopened == [broadcast_id]
    await vod.send_ended(broadcast_id, version=2, segments=5)
    second = await show(vod, created["id"])
    assert second["replay"]["lecture_id"] == first["replay"]["lecture_id"]
    assert second["replay"]["duration_s"] > first["replay"]["duration_s"]
    del vod.streamer.statuses[broadcast_id]
    gone = await vod.call("POST", path + "/reopen", role=Role.INSTRUCTOR)
    assert gone.status == 409
    await vod.stop_streamer()
    away = await vod.call("POST", path + "/reopen", role=Role.INSTRUCTOR)
    assert away.status == 503


async def test_a_later_change_of_visibility_reaches_the_replay(vod: Vod) -> None:
    created = await vod.add_class()
    broadcast_id = await go_live(vod, created)
    await vod.send_ended(broadcast_id)
    lecture_id = (await show(vod, created["id"]))["replay"]["lecture_id"]
    assert (await vod.call("GET", f"/lectures/{lecture_id}")).status == 200
    change = {"visibility": "members"}
    path = f"/live-classes/{created['id']}"
    assert (await vod.call("PATCH", path, role=Role.INSTRUCTOR, json=change)).status == 200
    assert (await vod.call("GET", f"/lectures/{lecture_id}")).status == 404
    shown = await vod.call("GET", f"/lectures/{lecture_id}", role=Role.MEMBER)
    assert shown.body["visibility"] == "members"


async def test_a_forgotten_class_ends_by_itself_half_an_hour_after_both(vod: Vod) -> None:
    planned_end = vod.clock.now() + timedelta(minutes=10)
    created = await vod.add_class(
        starts_at=vod.clock.now().isoformat(), planned_end=planned_end.isoformat()
    )
    broadcast_id = await go_live(vod, created)
    database, idle_end = vod.services.database, timedelta(minutes=30)

    async def end_idle() -> list[str]:
        return await end_idle_classes(database, now=vod.clock.now(), idle_end=idle_end)

    vod.clock.advance(2 * 3600)
    assert await end_idle() == [], "it is live"
    await vod.send_event("epoch_ended", broadcast_id, epoch=0, reason="lost", is_interrupted=True)
    vod.clock.advance(29 * 60)
    assert await end_idle() == []
    vod.clock.advance(60)
    assert await end_idle() == [created["id"]]
    assert await end_idle() == [], "the wish is written once"
    assert await carry_wishes(database, vod.services.streamer, now=vod.clock.now()) == 1
    assert vod.streamer.ended == [broadcast_id]


async def test_the_planned_end_counts_too(sqlite_vod: Vod) -> None:
    vod = sqlite_vod
    planned_end = vod.clock.now() + timedelta(hours=3)
    created = await vod.add_class(
        starts_at=vod.clock.now().isoformat(), planned_end=planned_end.isoformat()
    )
    broadcast_id = await go_live(vod, created)
    await vod.send_event("epoch_ended", broadcast_id, epoch=0, reason="lost", is_interrupted=True)
    vod.clock.advance(3600)
    idle_end = timedelta(minutes=30)
    database = vod.services.database
    assert await end_idle_classes(database, now=vod.clock.now(), idle_end=idle_end) == []
    vod.clock.advance(2 * 3600 + 1800)
    assert await end_idle_classes(database, now=vod.clock.now(), idle_end=idle_end)


async def test_only_a_class_that_was_never_live_is_deleted(vod: Vod) -> None:
    unused, used = await vod.add_class(), await vod.add_class()
    await go_live(vod, used)
    gone = await vod.call("DELETE", f"/live-classes/{unused['id']}", role=Role.INSTRUCTOR)
    assert gone.status == 204
    assert (await vod.call("GET", f"/live-classes/{unused['id']}")).status == 404
    kept = await vod.call("DELETE", f"/live-classes/{used['id']}", role=Role.INSTRUCTOR)
    assert kept.status == 409


async def test_classes_are_searched_filtered_and_paged(vod: Vod) -> None:
    made = [await vod.add_class(title=f"党史 {number}%") for number in range(3)]
    await vod.add_class(title="草原生态", role=Role.EDITOR)
    found = await vod.call("GET", "/live-classes", params={"q": "%"})
    assert found.body["total"] == 3
    assert (await vod.call("GET", "/live-classes", params={"q": "_"})).body["total"] == 0
    page = await vod.call("GET", "/live-classes?page=2&page_size=3")
    assert (len(page.body["items"]), page.body["page"], page.body["total"]) == (1, 2, 4)
    mine = await vod.call("GET", "/live-classes?mine=true", role=Role.INSTRUCTOR)
    assert {item["id"] for item in mine.body["items"]} == {item["id"] for item in made}
    assert (await vod.call("GET", "/live-classes?mine=true")).status == 401
    await go_live(vod, made[0])
    live = await vod.call("GET", "/live-classes?state=live")
    assert [item["id"] for item in live.body["items"]] == [made[0]["id"]]
    for query in ("page=0", "page_size=101", "page=x", "state=on", "series_id=1", "q=%00"):
        assert (await vod.call("GET", f"/live-classes?{query}")).status == 422, query


async def test_the_number_of_queries_does_not_grow_with_the_list(vod: Vod) -> None:
    async def count(path: str) -> int:
        with StatementCount(vod.services) as statements:
            answer = await vod.call("GET", path)
        assert answer.status == 200
        return statements.count

    paths = ("/live-classes", "/lectures", "/series", "/home")
    series = await vod.call("POST", "/series", role=Role.EDITOR, json={"title": "系列"})
    series_id = series.body["id"]

    async def add_replay() -> None:
        created = await vod.add_class(series_id=series_id)
        broadcast_id = await go_live(vod, created)
        await vod.send_ended(broadcast_id)
        await vod.send_event("recording_stored", broadcast_id, recording_version=1)
        await go_live(vod, await vod.add_class(series_id=series_id))

    await add_replay()
    few = [await count(path) for path in paths]
    for _ in range(4):
        await add_replay()
    assert [await count(path) for path in paths] == few
