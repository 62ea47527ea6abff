"""Language tags, labels and names of downloads."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import InputError
from vod.captions.languages import choose_label, name_language, read_language
from vod.captions.models import MAX_LABEL_CHARS
from vod.playback.extras import build_disposition


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("ZH-cn", "zh-CN"), ("chi", "zh"), ("zh-hans-CN", "zh-Hans-CN"), ("EN", "en"),
        ("mon-Mong", "mn-Mong"), ("es-419", "es-419"), ("und", "und"),
    ],
)  # fmt: skip
def test_tags_are_normalised(text: str, language: str) -> None:
    assert read_language(text) == language
    assert read_language(language) == language


@pytest.mark.parametrize("text", ["", "z", "中文", "zh_CN", "zh-", "a" * 36, "zh-CN\n", "1-2"])
def test_what_is_no_tag_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="language"):
        read_language(text)


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("zh", "中文"),
        ("zh-CN", "简体中文"),
        ("zh-SG", "中文"),
        ("mn-Mong", "蒙古文"),
        ("tlh", "tlh"),
    ],
)
def test_languages_have_names_that_people_know(language: str, name: str) -> None:
    assert name_language(language) == name


@given(wanted=st.text(max_size=200), taken=st.lists(st.text(max_size=120), max_size=6))
def test_labels_are_short_unique_and_can_be_quoted(wanted: str, taken: list[str]) -> None:
    label = choose_label(wanted, "zh", taken)
    assert 0 < len(label) <= MAX_LABEL_CHARS
    assert label not in taken
    assert '"' not in label
    assert "\n" not in label


def test_the_second_track_of_a_language_gets_a_number() -> None:
    assert choose_label("", "zh", ["中文", "中文 2"]) == "中文 3"


@given(title=st.text(max_size=300))
def test_a_download_can_be_named_after_any_title(title: str) -> None:
    header = build_disposition(title, ".m4a")
    assert header.isascii()
    assert header.isprintable()
    plain, _, encoded = header.removeprefix('attachment; filename="').partition('"; filename*=')
    assert '"' not in plain
    assert "\\" not in plain
    name = unquote(encoded.removeprefix("UTF-8''"))
    assert name.endswith(".m4a")
    assert not set(name) & set('/\\:*?"<>|\0')
