"""What uploads say and are told: headers of tus, wishes, sizes, digests."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.blobs.port import MAX_PARTS, MIN_PART_BYTES
from kernel.errors import InputError
from vod.accounts.roles import Role, Viewer, Visibility
from vod.uploads import tus
from vod.uploads.admission import describe_size
from vod.uploads.digest import (
    PART_BYTES,
    choose_part_bytes,
    digest_file,
    digest_part,
    digest_path_blocking,
)
from vod.uploads.policy import may_replace, may_upload
from vod.uploads.wishes import build_title, clean_filename, read_wish

KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","))


@given(st.dictionaries(KEYS.filter(bool), st.text(), max_size=8))
def test_metadata_comes_back_as_it_was_meant(values: dict[str, str]) -> None:
    text = ", ".join(
        f"{key} {base64.b64encode(value.encode()).decode()}".strip()
        for key, value in values.items()
    )
    assert tus.parse_metadata(text) == values


@given(st.text(max_size=300))
def test_any_metadata_is_a_value_or_our_error(text: str) -> None:
    with contextlib.suppress(InputError):
        assert read_wish(tus.parse_metadata(text)).filename


@given(
    st.dictionaries(st.sampled_from(["filename", "title", "visibility", "series_id"]), st.text())
)
def test_any_wish_is_a_value_or_our_error(values: dict[str, str]) -> None:
    try:
        wish = read_wish(values)
    except InputError:
        return
    assert 0 < len(wish.filename) <= 255
    assert 0 < len(wish.title) <= 200
    assert "\x00" not in wish.filename + wish.title


@given(st.text(max_size=60))
def test_any_offset_and_checksum_is_a_value_or_our_error(text: str) -> None:
    for parse, name in ((tus.parse_offset, tus.OFFSET), (tus.parse_checksum, tus.CHECKSUM)):
        with contextlib.suppress(InputError):
            parse({name: text})


@pytest.mark.parametrize(
    ("filename", "title"),
    [
        ("第一讲.mp4", "第一讲"),
        ("党课_第二讲  上.MOV", "党课 第二讲 上"),
        ("2026.07.01 讲座", "2026.07.01 讲座"),
        (".mp4", ".mp4"),
        ("...", "..."),
        ("a.verylongsuffix", "a.verylongsuffix"),
        ("讲" * 250 + ".mp4", "讲" * 200),
    ],
)
def test_titles_are_made_of_names(filename: str, title: str) -> None:
    assert build_title(filename) == title


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        (r"C:\Users\甲\课.mp4", "课.mp4"),
        ("../../etc/passwd", "passwd"),
        ("a\x00b\n.mp4", "a b .mp4"),
        ("/", ""),
        ("  ", ""),
        ("x" * 300 + ".mp4", "x" * 251 + ".mp4"),
    ],
)
def test_names_are_the_last_part_of_a_path(given_name: str, kept: str) -> None:
    assert clean_filename(given_name) == kept


def test_a_wish_has_defaults_and_ignores_what_others_add() -> None:
    wish = read_wish({"filename": "a.mp4", "relativePath": "x", "title": "", "series_id": ""})
    assert (wish.title, wish.visibility, wish.series_id, wish.allow_duplicate) == (
        "a", Visibility.MEMBERS, None, False,
    )  # fmt: skip
    assert read_wish({"name": "b.mp4", "allow_duplicate": "TRUE"}).allow_duplicate


@given(st.integers(min_value=1, max_value=2**50))
def test_parts_are_few_and_large_enough(size_bytes: int) -> None:
    part_bytes = choose_part_bytes(size_bytes)
    assert part_bytes >= max(MIN_PART_BYTES, PART_BYTES)
    assert -(-size_bytes // part_bytes) <= MAX_PARTS


def test_up_to_eighty_gigabytes_the_parts_never_change() -> None:
    """Digests depend on it: another size is another rule."""
    assert choose_part_bytes(1) == choose_part_bytes(PART_BYTES * MAX_PARTS) == 8_388_608


def test_the_digest_is_the_hash_of_the_parts_hashes(tmp_path: Path) -> None:
    data = bytes(range(256)) * 40_000  # 10 MB: two parts.
    path = tmp_path / "file"
    path.write_bytes(data)
    parts = [data[:PART_BYTES], data[PART_BYTES:]]
    tree = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
    assert digest_path_blocking(path) == f"t1:{tree}"
    assert digest_file(digest_part(part) for part in parts) == f"t1:{tree}"


def test_expiry_is_written_as_http_writes_dates() -> None:
    moment = datetime(2026, 7, 1, 8, 0, 0, 999, tzinfo=UTC)
    assert tus.format_expires(moment) == "Wed, 01 Jul 2026 08:00:00 GMT"


@pytest.mark.parametrize(
    ("size_bytes", "said"),
    [(5, "5 字节"), (1024, "1 KB"), (16 * 2**30, "16 GB"), (2**40, "1 TB"), (1_500_000, "1.43 MB")],
)
def test_sizes_are_said_to_people(size_bytes: int, said: str) -> None:
    assert describe_size(size_bytes) == said


def test_who_may_upload_and_replace() -> None:
    viewers = {role: Viewer(account_id=role.value, role=role) for role in Role}
    assert {role for role in Role if may_upload(viewers[role])} == {
        Role.INSTRUCTOR, Role.EDITOR, Role.ADMIN,
    }  # fmt: skip
    assert not may_upload(Viewer())
    nobody = {"instructor_id": None, "uploader_id": None}
    assert {role for role in Role if may_replace(viewers[role], **nobody)} == {
        Role.EDITOR, Role.ADMIN,
    }  # fmt: skip
    own = {"instructor_id": "instructor", "uploader_id": None}
    assert may_replace(viewers[Role.INSTRUCTOR], **own)
    assert not may_replace(Viewer(account_id="instructor", role=Role.MEMBER), **own)
    assert not may_replace(Viewer(), **nobody)
