"""Sign-in, sessions, CSRF, throttle, accounts: black box, on both databases."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.vod import (
    PASSWORD,
    StatementCount,
    Vod,
    database_url,
    databases,
    sqlite_url,
    sqlite_vod,
    vod,
)
from vod.accounts.roles import Role

__all__ = ["database_url", "databases", "sqlite_url", "sqlite_vod", "vod"]  # Fixtures.


async def test_sign_in_gives_a_token_and_a_cookie(vod: Vod) -> None:
    await vod.add_account("wang", Role.MEMBER)
    answer = await vod.sign_in("  WANG ")
    assert answer.status == 200
    assert answer.body["account"]["login"] == "wang"
    cookie = answer.cookies["hall_session"]
    assert cookie.value == answer.body["token"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert not cookie["secure"]
    shown = await vod.call("GET", "/session", token=answer.body["token"])
    assert shown.body["account"]["login"] == "wang"


async def test_the_cookie_is_secure_behind_https(sqlite_vod: Vod) -> None:
    await sqlite_vod.add_account("wang", Role.MEMBER)
    answer = await sqlite_vod.sign_in("wang", headers={"X-Forwarded-Proto": "https"})
    assert answer.cookies["hall_session"]["secure"]


@pytest.mark.parametrize(("login", "password"), [("wang", "wrong"), ("nobody", PASSWORD)])
async def test_wrong_and_unknown_look_alike(sqlite_vod: Vod, login: str, password: str) -> None:
    await sqlite_vod.add_account("wang", Role.MEMBER)
    answer = await sqlite_vod.sign_in(login, password)
    assert answer.status == 401
    assert answer.body == {
        "type": "urn:hall:problem:not-signed-in",
        "title": "账号或密码不正确",
        "status": 401,
        "detail": "wrong login or password",
    }


async def test_a_disabled_account_looks_wrong_and_its_sessions_end(vod: Vod) -> None:
    account_id = await vod.add_account("wang", Role.MEMBER)
    token = (await vod.sign_in("wang")).body["token"]
    path = f"/accounts/{account_id}"
    changed = await vod.call("PATCH", path, role=Role.ADMIN, json={"is_disabled": True})
    assert changed.status == 200
    assert (await vod.call("GET", "/session", token=token)).status == 401
    answer = await vod.sign_in("wang")
    assert (answer.status, answer.body["detail"]) == (401, "wrong login or password")


async def test_sign_out_ends_the_session(vod: Vod) -> None:
    await vod.add_account("wang", Role.MEMBER)
    token = (await vod.sign_in("wang")).body["token"]
    assert (await vod.call("DELETE", "/session", token=token)).status == 204
    assert (await vod.call("GET", "/session", token=token)).status == 401
    assert (await vod.call("DELETE", "/session")).status == 401


async def test_a_session_expires_and_a_visit_renews_it(sqlite_vod: Vod) -> None:
    vod = sqlite_vod
    await vod.add_account("wang", Role.MEMBER)
    token = (await vod.sign_in("wang")).body["token"]
    for _ in range(3):
        vod.clock.advance(20 * 86_400)
        assert (await vod.call("GET", "/session", token=token)).status == 200
    vod.clock.advance(31 * 86_400)
    assert (await vod.call("GET", "/session", token=token)).status == 401


async def test_a_stale_cookie_is_anonymous_and_a_stale_bearer_is_refused(sqlite_vod: Vod) -> None:
    answer = await sqlite_vod.call("GET", "/session", headers={"Cookie": "hall_session=old"})
    assert (answer.status, answer.body["account"]) == (200, None)
    assert (await sqlite_vod.call("GET", "/session", token="old")).status == 401
    weird = await sqlite_vod.call("GET", "/home", headers={"Authorization": "Bearer é"})
    assert weird.status == 401


async def test_the_viewer_cookie_is_set_once(sqlite_vod: Vod) -> None:
    first = await sqlite_vod.call("GET", "/config")
    cookie = first.cookies["hall_viewer"]
    assert cookie["httponly"]
    again = await sqlite_vod.call(
        "GET", "/config", headers={"Cookie": f"hall_viewer={cookie.value}"}
    )
    assert "hall_viewer" not in again.cookies


async def test_changes_with_the_cookie_need_the_csrf_token(vod: Vod) -> None:
    await vod.add_account("wang", Role.MEMBER)
    signed_in = await vod.sign_in("wang")
    cookie = {"Cookie": f"hall_session={signed_in.body['token']}"}
    body = {"display_name": "王老师"}
    refused = await vod.call("PATCH", "/account", headers=cookie, json=body)
    assert (refused.status, refused.body["type"]) == (403, "urn:hall:problem:not-allowed")
    wrong = {**cookie, "X-CSRF-Token": "0" * 26}
    assert (await vod.call("PATCH", "/account", headers=wrong, json=body)).status == 403
    shown = await vod.call("GET", "/session", headers=cookie)
    assert shown.body["csrf_token"] == signed_in.body["csrf_token"]
    right = {**cookie, "X-CSRF-Token": shown.body["csrf_token"]}
    changed = await vod.call("PATCH", "/account", headers=right, json=body)
    assert (changed.status, changed.body["display_name"]) == (200, "王老师")


async def test_the_csrf_token_of_one_session_is_no_good_for_another(sqlite_vod: Vod) -> None:
    vod = sqlite_vod
    await vod.add_account("wang", Role.MEMBER)
    mine, other = await vod.sign_in("wang"), await vod.sign_in("wang")
    headers = {
        "Cookie": f"hall_session={mine.body['token']}",
        "X-CSRF-Token": other.body["csrf_token"],
    }
    assert (await vod.call("DELETE", "/session", headers=headers)).status == 403


async def test_signing_in_over_an_old_session_needs_no_csrf_token(sqlite_vod: Vod) -> None:
    vod = sqlite_vod
    await vod.add_account("wang", Role.MEMBER)
    old = await vod.sign_in("wang")
    again = await vod.sign_in("wang", headers={"Cookie": f"hall_session={old.body['token']}"})
    assert again.status == 200


async def test_an_account_is_throttled_and_recovers(vod: Vod) -> None:
    await vod.add_account("wang", Role.MEMBER)
    for _ in range(10):
        assert (await vod.sign_in("wang", "wrong")).status == 401
    blocked = await vod.sign_in("wang")
    assert (blocked.status, blocked.body["type"]) == (429, "urn:hall:problem:too-many-attempts")
    assert int(blocked.headers["Retry-After"]) == 30
    vod.clock.advance(31)
    assert (await vod.sign_in("wang")).status == 200
    assert (await vod.sign_in("wang", "wrong")).status == 401, "the counter starts afresh"


async def test_a_stranger_elsewhere_does_not_lock_the_owner_out(vod: Vod) -> None:
    await vod.add_account("wang", Role.MEMBER)
    stranger = {"X-Real-IP": "203.0.113.9"}
    for _ in range(10):
        assert (await vod.sign_in("wang", "wrong", headers=stranger)).status == 401
    assert (await vod.sign_in("wang", "wrong", headers=stranger)).status == 429
    assert (await vod.sign_in("wang", headers={"X-Real-IP": "203.0.113.10"})).status == 200
    assert (await vod.sign_in("wang", headers=stranger)).status == 429, "the stranger still waits"


async def test_a_password_changed_during_the_check_wins(
    sqlite_vod: Vod, monkeypatch: pytest.MonkeyPatch
) -> None:
    vod = sqlite_vod
    account_id = await vod.add_account("wang", Role.MEMBER)
    verify = vod.services.passwords.verify

    async def verify_slowly(password: str, password_hash: str | None) -> bool:
        is_right = await verify(password, password_hash)
        path = f"/accounts/{account_id}"
        change = {"new_password": "another-secret"}
        assert (await vod.call("PATCH", path, role=Role.ADMIN, json=change)).status == 200
        return is_right

    token = await vod.token_of(Role.ADMIN)  # Signs in before the check is slow.
    assert token
    monkeypatch.setattr(vod.services.passwords, "verify", verify_slowly)
    assert (await vod.sign_in("wang")).status == 401


async def test_an_unknown_login_is_throttled_like_a_known_one(sqlite_vod: Vod) -> None:
    for _ in range(10):
        assert (await sqlite_vod.sign_in("nobody", "wrong")).status == 401
    assert (await sqlite_vod.sign_in("nobody", "wrong")).status == 429


async def test_an_address_is_throttled_over_many_logins(sqlite_vod: Vod) -> None:
    vod = sqlite_vod
    await vod.add_account("wang", Role.MEMBER)
    attacker = {"X-Real-IP": "203.0.113.9"}
    for number in range(100):
        assert (await vod.sign_in(f"user{number}", "wrong", headers=attacker)).status == 401
    assert (await vod.sign_in("wang", headers=attacker)).status == 429
    assert (await vod.sign_in("wang", headers={"X-Real-IP": "203.0.113.10"})).status == 200


async def test_a_throttled_attempt_costs_no_hash_and_no_write(sqlite_vod: Vod) -> None:
    for _ in range(10):
        await sqlite_vod.sign_in("wang", "wrong")
    passwords = sqlite_vod.services.passwords
    passwords.close()  # From here on hashing anything would raise.
    with StatementCount(sqlite_vod.services) as reads:
        for _ in range(200):
            assert (await sqlite_vod.sign_in("wang", "wrong")).status == 429
    # BEGIN is not counted as a statement by the driver's hook on every database, so: a few each.
    assert reads.count <= 3 * 200


async def test_accounts_are_for_administrators(vod: Vod) -> None:
    assert (await vod.call("GET", "/accounts")).status == 401
    for role in set(Role) - {Role.ADMIN}:
        assert (await vod.call("GET", "/accounts", role=role)).status == 403
        new = {"login": "li", "display_name": "李"}
        assert (await vod.call("POST", "/accounts", role=role, json=new)).status == 403
    listed = await vod.call("GET", "/accounts?page_size=2", role=Role.ADMIN)
    assert listed.body["total"] == len(Role)
    assert [item["login"] for item in listed.body["items"]] == ["admin", "editor"]


async def test_an_account_is_created_found_changed_and_logged(vod: Vod) -> None:
    new = {"login": "Li.Hong", "display_name": "李红", "role": "editor"}
    created = await vod.call("POST", "/accounts", role=Role.ADMIN, json=new)
    assert (created.status, created.body["login"]) == (201, "li.hong")
    assert (await vod.sign_in("li.hong", created.body["password"])).status == 200
    again = await vod.call("POST", "/accounts", role=Role.ADMIN, json=new)
    assert again.status == 409
    found = await vod.call("GET", "/accounts", role=Role.ADMIN, params={"q": "红"})
    assert [item["id"] for item in found.body["items"]] == [created.body["id"]]
    path = f"/accounts/{created.body['id']}"
    change = {"role": "instructor", "new_password": "another one"}
    changed = await vod.call("PATCH", path, role=Role.ADMIN, json=change)
    assert changed.body["role"] == "instructor"
    assert (await vod.call("GET", path, role=Role.ADMIN)).body == changed.body
    audit = await vod.call("GET", "/audit", role=Role.ADMIN)
    newest = audit.body["items"][0]
    assert (newest["action"], newest["object_id"]) == ("account.changed", created.body["id"])
    assert newest["actor"]["id"] == vod.account_ids[Role.ADMIN]
    assert newest["detail"] == {"role": "instructor", "is_password_changed": True}
    assert (await vod.call("GET", "/audit", role=Role.EDITOR)).status == 403


async def test_the_last_administrator_stays(vod: Vod) -> None:
    await vod.token_of(Role.ADMIN)
    path = f"/accounts/{vod.account_ids[Role.ADMIN]}"
    for change in ({"role": "member"}, {"is_disabled": True}):
        assert (await vod.call("PATCH", path, role=Role.ADMIN, json=change)).status == 409
    await vod.add_account("second", Role.ADMIN)
    changed = await vod.call("PATCH", path, role=Role.ADMIN, json={"role": "member"})
    assert changed.status == 200


async def test_ones_own_password_needs_the_current_one_and_ends_other_sessions(vod: Vod) -> None:
    await vod.add_account("wang", Role.MEMBER)
    mine, other = await vod.sign_in("wang"), await vod.sign_in("wang")
    token = mine.body["token"]
    body = {"current_password": "wrong", "new_password": "a new password"}
    refused = await vod.call("PATCH", "/account", token=token, json=body)
    assert (refused.status, refused.body["field"]) == (422, "current_password")
    body["current_password"] = PASSWORD
    assert (await vod.call("PATCH", "/account", token=token, json=body)).status == 200
    assert (await vod.call("GET", "/session", token=token)).status == 200
    assert (await vod.call("GET", "/session", token=other.body["token"])).status == 401
    assert (await vod.sign_in("wang", "a new password")).status == 200


async def test_parallel_guesses_do_not_slip_past_the_limit(vod: Vod) -> None:
    answers = await asyncio.gather(*(vod.sign_in("wang", "wrong") for _ in range(30)))
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [401] * 10 + [429] * 20
