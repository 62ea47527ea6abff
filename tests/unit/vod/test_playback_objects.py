"""Every request target is one of our objects or nothing."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.ids import new_id
from vod.playback.objects import MediaTarget, is_safe_name, parse_media_uri

A = "0123456789abcdefghjk"
B = "zyxwvtsrqpnmkjhgfedc"


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (f"/live/{A}/index.m3u8", MediaTarget("live", A, None)),
        (f"/live/{A}/av.m3u8?_HLS_msn=3&_HLS_part=1", MediaTarget("live", A, None)),
        (f"/live/{A}/0/av/init-0a1b.mp4", MediaTarget("live", A, None)),
        (f"/media/{A}/assets/{B}/aabb/720p.mp4", MediaTarget("media", A, None)),
        (f"/whep/{A}", MediaTarget("live", A, None)),
        (f"/whep/{A}/abc", MediaTarget("live", A, None)),
        (f"/signed/t0.k/media/{A}/index.m3u8", MediaTarget("media", A, "t0.k")),
        (f"/signed/t0.k/live/{A}/0/av/1.m4s", MediaTarget("live", A, "t0.k")),
    ],
)
def test_our_urls_name_their_object(uri: str, expected: MediaTarget) -> None:
    assert parse_media_uri(uri) == expected


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/",
        "live",
        "/live",
        "/live/",
        f"/live/{A}/",
        f"/live//{A}/x",
        f"//live/{A}/x",
        f"/live/{A}/../{B}/x",
        f"/live/{A}/./x",
        f"/live/{A}/%2e%2e/{B}/x",
        f"/live/{A}/..%2f{B}/x",
        f"/live/{A}/x%00",
        f"/live/{A}\\..\\{B}/x",
        f"/live/{A};{B}/x",
        f"/live/{A}/x#y",
        f"/LIVE/{A}/x",
        f"/live/{A.upper()}/x",
        f"/live/{A}x/x",
        f"/api/v1/lectures/{A}",
        f"/internal/{A}",
        f"http://hall/live/{A}/x",
        f"/signed/live/{A}/x",
        f"/signed//live/{A}/x",
        f"/signed/../live/{A}/x",
        f"/signed/tok/signed/tok/live/{A}/x",
        f"/live/{A}/课",
        f"/live/{A}/a b",
        f"/live/{A}/" + "x" * 3000,
        f"/live/{A}\n/x",
    ],
)
def test_everything_else_is_nothing(uri: str) -> None:
    assert parse_media_uri(uri) is None


@given(st.text(max_size=200))
def test_parsing_is_total(text: str) -> None:
    parse_media_uri(text)


@given(
    st.lists(
        st.sampled_from([A, B, "live", "media", "..", ".", "", "%2e%2e", "x.m4s", "signed", "t.t"]),
        max_size=8,
    )
)
def test_what_is_judged_is_what_a_normalising_server_would_serve(parts: list[str]) -> None:
    uri = "/" + "/".join(parts)
    target = parse_media_uri(uri)
    if target is not None:
        served = posixpath.normpath(unquote(uri)).split("/")[1:]
        if served[0] == "signed":
            served = served[2:]
        assert served[1] == target.object_id
        assert served[0] == target.kind


def test_a_fresh_id_is_accepted_and_dots_are_no_name() -> None:
    assert parse_media_uri(f"/media/{new_id()}/index.m3u8") is not None
    assert not is_safe_name("..")
    assert not is_safe_name(".hidden")
    assert not is_safe_name("a/b")
