"""Diff and merge of menus: what happened is named, and nothing of two editors gets lost."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from vod.menus.content import MenuContent, build_empty
from vod.menus.diff import Change, ChangeKind, diff
from vod.menus.flat import ROOT, find_moved, flatten
from vod.menus.merge import merge

OPEN: dict[str, Any] = {"audience": {}, "shows_from": None, "shows_until": None}


def item(name: str, **values: Any) -> dict[str, Any]:
    return {
        "id": name, "kind": "heading", "title": name, "note": "", "target_id": None, "url": None,
        "is_required": False, **OPEN, **values,
    }  # fmt: skip


def section(name: str, *items: dict[str, Any], **values: Any) -> dict[str, Any]:
    return {"id": name, "title": name, "note": "", "items": list(items), **OPEN, **values}


def menu(*sections: dict[str, Any], **values: Any) -> MenuContent:
    return MenuContent.model_validate(
        {"title": "菜单", "note": "", "sections": list(sections), **OPEN, **values}
    )


def tell(changes: tuple[Change, ...]) -> list[tuple[str, str]]:
    return [(change.kind.value, change.id) for change in changes]


BASE = menu(
    section("aaaa", item("a001"), item("a002"), item("a003"), item("a004")),
    section("bbbb", item("b001")),
    section("cccc"),
)


def test_what_is_the_same_has_no_changes() -> None:
    assert diff(BASE, BASE) == ()
    assert diff(build_empty("x"), build_empty("x")) == ()


def test_a_diff_names_what_was_added_removed_moved_and_changed() -> None:
    after = menu(
        section("cccc"),
        section("aaaa", item("a004"), item("a001"), item("a003", title="新名", note="注")),
        section("bbbb", item("b001"), item("a002", is_required=True), item("n001")),
        title="新菜单",
    )
    changes = diff(BASE, after)
    assert tell(changes) == [
        ("changed", ROOT), ("moved", "cccc"), ("moved", "a004"), ("changed", "a003"),
        ("moved", "a002"), ("changed", "a002"), ("added", "n001"),
    ]  # fmt: skip
    by_name = {(change.kind, change.id): change for change in changes}
    moved = by_name[ChangeKind.MOVED, "a002"]
    assert (moved.former_place, moved.place) == (("aaaa", 2), ("bbbb", 2))
    fields = by_name[ChangeKind.CHANGED, "a003"].fields
    assert [(field.name, field.before, field.after) for field in fields] == [
        ("title", "a003", "新名"), ("note", "", "注"),
    ]  # fmt: skip


def test_a_section_that_went_takes_its_items_along_unless_they_live_on() -> None:
    after = menu(section("bbbb", item("b001"), item("a003")), section("cccc"))
    assert tell(diff(BASE, after)) == [("moved", "a003"), ("removed", "aaaa")]


def test_the_fewest_moves_explain_a_new_order() -> None:
    assert find_moved("abcdef", "bcdefa") == {"a"}
    assert find_moved("abcdef", "fabcde") == {"f"}
    assert find_moved("abc", "cba") in ({"a", "b"}, {"b", "c"}, {"a", "c"})
    assert find_moved("abc", "xaybz") == set()


def test_different_changes_go_together() -> None:
    mine = menu(
        section("aaaa", item("a001", title="我的"), item("a002"), item("a003"), item("a004")),
        section("bbbb", item("b001"), item("m001")),
        section("cccc"),
    )
    theirs = menu(
        section("bbbb", item("t001"), item("b001", note="他的")),
        section("aaaa", item("a001"), item("a003"), item("a002")),
        section("cccc", item("t002")),
    )
    merged = merge(BASE, mine, theirs)
    assert merged.conflicts == ()
    flat = flatten(merged.content)
    assert flat.order == {
        ROOT: ["bbbb", "aaaa", "cccc"],
        "bbbb": ["t001", "b001", "m001"],
        "aaaa": ["a001", "a003", "a002"],
        "cccc": ["t002"],
    }
    assert (flat.fields["a001"]["title"], flat.fields["b001"]["note"]) == ("我的", "他的")


def test_contradictions_keep_both_values() -> None:
    mine = menu(
        section("aaaa", item("a001", title="我的"), item("a002"), item("a004")),
        section("bbbb", item("b001"), item("a003")),
        section("cccc"),
    )
    theirs = menu(
        section("aaaa", item("a001", title="他的"), item("a002", note="还要"), item("a004")),
        section("cccc", item("a003")),
        section("bbbb", item("b001")),
    )
    told = [(c.kind, c.id, c.mine, c.theirs) for c in merge(BASE, mine, theirs).conflicts]
    assert told == [("field", "a001", "我的", "他的"), ("place", "a003", "bbbb", "cccc")]


def test_what_one_removed_and_the_other_changed_stays_and_is_named() -> None:
    mine = menu(section("bbbb", item("b001")), section("cccc"))
    theirs = menu(
        section("aaaa", item("a001"), item("a002", title="改过"), item("a003"), item("a004")),
        section("cccc"),
    )
    merged = merge(BASE, mine, theirs)
    flat = flatten(merged.content)
    assert flat.order == {ROOT: ["aaaa", "cccc"], "aaaa": ["a002"], "cccc": []}
    assert [(c.kind, c.id, c.field) for c in merged.conflicts] == [
        ("removed", "aaaa", "mine"), ("removed", "a002", "mine"),
    ]  # fmt: skip


# -- For any two editors -------------------------------------------------------------------------
SECTIONS, ITEMS = ("aaaa", "bbbb", "cccc"), tuple(f"i00{n}" for n in range(6))


@st.composite
def menus(draw: st.DrawFn, prefix: str) -> MenuContent:
    """Any menu of a few known nodes and some that only this editor has."""
    sections = draw(st.permutations([*SECTIONS, f"{prefix}aaa"]))
    sections = sections[: draw(st.integers(1, 4))]
    items = draw(st.permutations([*ITEMS, f"{prefix}i01", f"{prefix}i02"]))
    places = [draw(st.sampled_from([None, *sections])) for _ in items]
    words = st.sampled_from(["", "一", "二", "三"])
    return menu(*(
        section(
            name,
            *(item(node, note=draw(words)) for node, at in zip(items, places, strict=True)
              if at == name),
            note=draw(words),
        )
        for name in sections
    ), note=draw(words))  # fmt: skip


@settings(max_examples=80)
@given(menus("z"), menus("m"), menus("t"))
def test_nothing_is_lost_without_being_named(
    base: MenuContent, mine: MenuContent, theirs: MenuContent
) -> None:
    merged = merge(base, mine, theirs)
    result = flatten(merged.content)
    was, own, other = flatten(base), flatten(mine), flatten(theirs)
    named = {(conflict.id, conflict.field) for conflict in merged.conflicts}
    for side, beside in ((own, other), (other, own)):
        for node, fields in side.fields.items():
            if node not in was.fields or node in beside.fields:
                assert node in result.fields
            if fields != was.fields.get(node):
                assert node in result.fields
                for name, value in fields.items():
                    is_kept = result.fields[node][name] == value or (node, name) in named
                    assert is_kept or was.fields[node][name] == value
    for node in result.fields:
        assert node in own.fields or node in other.fields
    for conflict in merged.conflicts:
        assert conflict.id in result.fields
        assert conflict.kind == "removed" or conflict.mine != conflict.theirs


@settings(max_examples=40)
@given(menus("z"), menus("m"))
def test_alone_one_gets_exactly_what_one_wrote(base: MenuContent, mine: MenuContent) -> None:
    for merged in (merge(base, mine, base), merge(base, base, mine), merge(base, mine, mine)):
        assert merged.content == mine
        assert merged.conflicts == ()


@settings(max_examples=40)
@given(menus("z"), menus("m"))
def test_a_diff_explains_every_difference(before: MenuContent, after: MenuContent) -> None:
    changes = diff(before, after)
    assert bool(changes) == (before != after)
    assert len({(change.kind, change.id) for change in changes}) == len(changes)
    added = {change.id for change in changes if change.kind is ChangeKind.ADDED}
    assert added == flatten(after).fields.keys() - flatten(before).fields.keys()
