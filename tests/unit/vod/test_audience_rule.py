"""Audience rules as pure values: what is refused, how they are written, whom they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import ValidationError

from vod.audience.rule import EVERYBODY, AudienceRule, fits

CITY, BANNER, BRANCH = (f"0000000000000000000{digit}" for digit in "123")


@dataclass(frozen=True)
class Member:
    unit_path: str | None = None
    category: str | None = None
    level: str | None = None


RETIRED = Member(f"/{CITY}/{BANNER}/{BRANCH}/", "退休党员", "支部委员")


@pytest.mark.parametrize(
    ("rule", "is_meant"),
    [
        ({}, True),
        ({"categories": ["退休党员", "农牧民"]}, True),
        ({"categories": ["农牧民"]}, False),
        ({"categories": ["退休党员"], "levels": ["支部委员"]}, True),
        ({"categories": ["退休党员"], "levels": ["党委委员"]}, False),
        ({"units": [CITY]}, True),
        ({"units": [BANNER]}, True),
        ({"units": [BRANCH]}, True),
        ({"units": [BRANCH], "categories": ["农牧民"]}, False),
        ({"units": ["0" * 20]}, False),
    ],
)
def test_one_of_each_list_that_is_not_empty_must_fit(
    rule: dict[str, Any],
    is_meant: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert fits(AudienceRule.model_validate(rule), RETIRED) is is_meant


@pytest.mark.parametrize("member", [None, Member()])
def test_of_whom_nothing_is_known_sees_what_is_for_everybody(member: Member | None) -> None:
    assert fits(EVERYBODY, member)
    for rule in ({"units": [CITY]}, {"categories": ["农牧民"]}, {"levels": ["普通党员"]}):
        assert not fits(AudienceRule.model_validate(rule), member)


def test_a_member_of_the_parent_is_not_in_the_sub_tree() -> None:
    member = Member(f"/{CITY}/")
    assert not fits(AudienceRule(units=(BANNER,)), member)
    assert fits(AudienceRule(units=(CITY,)), member)


def test_equal_rules_are_written_equally() -> None:
    left = AudienceRule(units=(BRANCH, CITY, BRANCH), levels=("b", "a"))
    right = AudienceRule(units=(CITY, BRANCH), levels=("a", "b", "b"))
    assert left == right
    assert left.to_json() == {"units": [CITY, BRANCH], "levels": ["a", "b"]}
    assert AudienceRule(categories=()).to_json() == {}
    assert AudienceRule.model_validate(left.to_json()) == left


@pytest.mark.parametrize(
    "body",
    [
        {"unit": [CITY]},
        {"units": ["../etc"]},
        {"units": [CITY] * 201},
        {"units": CITY},
        {"categories": [""]},
        {"categories": ["a b"]},
        {"categories": ['"'], "levels": []},
        {"levels": ["a\\"]},
        {"levels": ["字" * 65]},
        {"levels": [7]},
        [],
    ],
)
def test_what_is_no_rule_is_refused(body: Any) -> None:
    with pytest.raises(ValidationError):
        AudienceRule.model_validate(body)
