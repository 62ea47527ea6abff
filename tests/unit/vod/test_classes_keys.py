"""Stream keys and tokens."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from kernel.ids import is_id, new_id
from vod.classes.keys import build_keys, is_right_credential, read_class_id

SECRET = b"secret"


def test_keys_are_stable_and_differ_in_everything_that_matters() -> None:
    one, two = new_id(), new_id()
    assert build_keys(SECRET, one, 1) == build_keys(SECRET, one, 1)
    made = [
        value
        for secret, class_id, version in itertools.product((SECRET, b"other"), (one, two), (1, 2))
        for value in (
            build_keys(secret, class_id, version).stream_key.partition("-")[2],
            build_keys(secret, class_id, version).whip_token,
        )
    ]
    assert len(set(made)) == len(made)


def test_the_class_is_read_from_its_key() -> None:
    class_id = new_id()
    assert read_class_id(build_keys(SECRET, class_id, 3).stream_key) == class_id


@given(st.text(max_size=300))
def test_any_text_is_a_class_or_nothing(text: str) -> None:
    found = read_class_id(text)
    assert found is None or is_id(found)
    assert not is_right_credential(text, build_keys(SECRET, "0" * 20, 1).stream_key)
