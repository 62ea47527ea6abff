"""A plan report that could not be carried out is refused with a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import InputError
from kernel.messages import PlanReport, RenditionPlan, UnitPlan
from vod.jobs.plan import MAX_UNITS, check_plan, sort_units


def make_unit(key: str, *after: str, kind: str = "encode_video", **fields: object) -> UnitPlan:
    return UnitPlan.model_validate(
        {"key": key, "kind": kind, "queue": "long", "spec": {}, "after": after, **fields}
    )


def make_publish(*after: str) -> UnitPlan:
    return make_unit("publish", *after, kind="publish_asset")


def make_first(*after: str) -> UnitPlan:
    return make_unit("publish-first", *after, kind="publish_asset")


def make_report(*units: UnitPlan, renditions: tuple[RenditionPlan, ...] = ()) -> PlanReport:
    return PlanReport(plan_hash="0123456789ab", renditions=renditions, units=units)


def test_a_diamond_is_accepted() -> None:
    report = make_report(
        make_unit("a"), make_unit("b", "a"), make_unit("c", "a"), make_publish("b", "c")
    )
    check_plan(report)
    assert sort_units(report.units)[0] == "a"
    assert sort_units(report.units)[-1] == "publish"


@pytest.mark.parametrize("after", [("a", "b"), ("a", "b", "publish-first")])
def test_some_rungs_may_be_published_first(after: tuple[str, ...]) -> None:
    check_plan(make_report(make_unit("a"), make_unit("b"), make_first("a"), make_publish(*after)))


def make_added(*after: str) -> UnitPlan:
    return make_unit("publish-av1", *after, kind="publish_asset")


def test_rungs_may_be_added_to_the_published_set() -> None:
    report = make_report(
        make_unit("a"),
        make_publish("a"),
        make_unit("av1-0000", "publish"),
        make_added("publish", "av1-0000"),
    )
    check_plan(report)
    assert sort_units(report.units)[-1] == "publish-av1"


@pytest.mark.parametrize(
    ("units", "words"),
    [
        ((make_publish(), make_unit("b", "publish"), make_added("publish")), "all that waits"),
        ((make_unit("a"), make_publish("a"), make_added("a")), "all that waits"),
        ((make_unit("a"), make_publish(), make_added("publish")), "would not wait for a"),
        ((make_publish(), make_added("publish"), make_unit("b", "publish-av1")), "would wait for"),
        (
            (
                make_unit("a"),
                make_publish("a"),
                make_unit("b", "publish", "a"),
                make_added("publish", "b"),
            ),
            "waits for 'publish' alone",
        ),
        ((make_added(),), "one publish_asset"),
    ],
)
def test_what_is_added_later_holds_nothing_up(units: tuple[UnitPlan, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_plan(make_report(*units))


@pytest.mark.parametrize(
    ("units", "words"),
    [
        ((), "1 to 2000"),
        ((make_unit("a"), make_unit("a"), make_publish("a")), "used twice"),
        ((make_unit("a", "ghost"), make_publish("a")), "unknown"),
        ((make_unit("a", "b"), make_unit("b", "a"), make_publish("a")), "wait for each other"),
        ((make_unit("a", "a"), make_publish("a")), "wait for each other"),
        ((make_unit("a"),), "one publish_asset"),
        ((make_unit("a", "publish"), make_publish()), "nothing may come after"),
        ((make_unit("a"), make_unit("b"), make_publish("a")), "would not wait for b"),
        ((make_unit("plan"), make_publish("plan")), "belongs to the planning unit"),
        ((make_unit("a", kind="plan_recording"), make_publish("a")), "plan again"),
        ((make_unit("a", renditions=("x",)), make_publish("a")), "unknown renditions"),
        ((make_unit("a"), make_first("a")), "one publish_asset"),
        ((make_unit("a"), make_first("a"), make_publish("a"), make_publish("a")), "used twice"),
        ((make_first(), make_unit("a", "publish-first"), make_publish("a")), "only 'publish' may"),
    ],
)
def test_a_broken_plan_is_refused(units: tuple[UnitPlan, ...], words: str) -> None:
    with pytest.raises(InputError, match=words) as refusal:
        check_plan(make_report(*units))
    assert refusal.value.http_status == 422


def test_the_limit_of_units_holds() -> None:
    units = [make_unit(f"u{n}") for n in range(MAX_UNITS)]
    with pytest.raises(InputError, match="units"):
        check_plan(make_report(*units, make_publish(*(unit.key for unit in units))))


@given(st.lists(st.sets(st.integers(0, 11)), min_size=1, max_size=12))
def test_sorting_respects_every_edge_or_refuses(edges: list[set[int]]) -> None:
    count = len(edges)
    units = [
        make_unit(f"u{n}", *(f"u{m}" for m in sorted(after) if m < count))
        for n, after in enumerate(edges)
    ]
    try:
        order = sort_units(units)
    except InputError:
        assert any(after for after in edges)
        return
    place = {key: n for n, key in enumerate(order)}
    assert len(place) == count
    assert all(place[before] < place[unit.key] for unit in units for before in unit.after)
