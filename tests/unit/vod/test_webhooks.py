"""Webhooks, the pure part: signatures, waiting, addresses, what an event says."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from kernel.errors import InputError
from vod.webhooks.addresses import is_public, parse_target
from vod.webhooks.kinds import SUBSCRIBABLE, EventKind, build_body
from vod.webhooks.retry import (
    DISABLED_AFTER,
    LONGEST_WAIT,
    MAX_ATTEMPTS,
    find_wait,
    is_dead,
    parse_retry_after,
)
from vod.webhooks.schemas import Kind
from vod.webhooks.sender import read_answer
from vod.webhooks.signing import build_headers, build_secret, find_secrets, sign

NOW = datetime(2026, 7, 1, 8, tzinfo=UTC)
KEY = b"the key of the house"


def test_the_signature_is_that_of_the_standard() -> None:
    # The example of the Standard Webhooks reference libraries.
    signature = sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        timestamp_s=1614265330,
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_secrets_differ_and_the_old_one_signs_for_a_day() -> None:
    first, second = (build_secret(KEY, "hook", number) for number in (1, 2))
    assert len({first, second, build_secret(KEY, "other", 1)}) == 3
    assert len(base64.b64decode(first.removeprefix("whsec_"))) == 32
    assert find_secrets(KEY, "hook", 1, None, now=NOW) == [first]
    assert find_secrets(KEY, "hook", 2, NOW, now=NOW) == [second, first]
    assert find_secrets(KEY, "hook", 2, NOW, now=NOW + timedelta(hours=24)) == [second]
    headers = build_headers([second, first], "event", b"{}", timestamp_s=7)
    assert headers["webhook-signature"].split(" ") == [
        sign(one, "event", b"{}", timestamp_s=7) for one in (second, first)
    ]


def test_waits_grow_up_to_the_longest_and_end() -> None:
    waits = [find_wait(attempts, jitter=0) for attempts in range(1, MAX_ATTEMPTS)]
    assert waits[:3] == [timedelta(seconds=one) for one in (10, 40, 160)]
    assert all(one is not None for one in waits)
    assert waits[-1] == LONGEST_WAIT
    assert find_wait(MAX_ATTEMPTS, jitter=0) is None
    assert find_wait(1, jitter=-1) == timedelta(seconds=8)
    assert find_wait(1, jitter=1) == timedelta(seconds=12)
    assert find_wait(1, jitter=0, retry_after=timedelta(minutes=5)) == timedelta(minutes=5)
    assert find_wait(1, jitter=0, retry_after=timedelta(days=9)) == LONGEST_WAIT


@pytest.mark.parametrize("text", [None, "", "-1", "Wed, 21 Oct 2026 07:28:00 GMT", "1.5", "²"])
def test_a_strange_retry_after_is_not_followed(text: str | None) -> None:
    assert parse_retry_after(text) is None


def test_a_receiver_is_dead_after_days_only() -> None:
    assert parse_retry_after("9" * 50) == LONGEST_WAIT
    assert not is_dead(None, now=NOW)
    assert not is_dead(NOW - DISABLED_AFTER + timedelta(seconds=1), now=NOW)
    assert is_dead(NOW - DISABLED_AFTER, now=NOW)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "100.64.0.1",
        "224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1%eth0", "fd00::1",
        "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "ff02::1", "x",
    ],
)  # fmt: skip
def test_private_addresses_are_known_in_every_spelling(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://receiver.example/", "ftp://receiver.example/", "https://", "https:///x", "x",
        "https://user:word@receiver.example/", "https://receiver.example/#here",
        "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/",
        "https://receiver.example/a b", "https://receiver.example:99999/", "https://[::1/",
        "https://receiver.example/" + "x" * 2000, "javascript:alert(1)", "",
    ],
)  # fmt: skip
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(InputError):
        parse_target(url, allow_private=False)


def test_addresses_that_are_taken() -> None:
    assert str(parse_target("https://收.example/a?k=1", allow_private=False)).startswith("https://")
    assert parse_target("http://127.0.0.1:8080/x", allow_private=True).port == 8080
    with pytest.raises(InputError):
        parse_target("ftp://127.0.0.1/", allow_private=True)


def test_only_success_is_heard() -> None:
    assert read_answer(204, None).is_delivered
    for status in (199, 301, 307, 400, 410, 500):
        assert not read_answer(status, None).is_delivered
    assert read_answer(410, None).is_gone
    assert read_answer(503, "7").retry_after == timedelta(seconds=7)


def test_what_an_event_says() -> None:
    body = build_body(EventKind.REPLAY_READY, "k1", {"title": "课"}, at=NOW, origin="https://h")
    assert json.loads(body) == {
        "type": "replay.ready",
        "timestamp": "2026-07-01T08:00:00+00:00",
        "data": {"id": "k1", "title": "课", "url": "https://h/lectures/k1"},
    }
    assert {kind.value for kind in SUBSCRIBABLE} == set(get_args(Kind))
