import { describe, expect, it } from "vitest";
import type { MenuContent, MergeConflict } from "@/api/menus";
import { choose } from "@/pages/desk/menus/merge";
import * as tree from "@/pages/desk/menus/tree";

const OPEN = { note: "", audience: {}, shows_from: null, shows_until: null };

function menu(layout: Record<string, string[]>): MenuContent {
  return {
    title: "m",
    ...OPEN,
    sections: Object.entries(layout).map(([id, items]) => ({
      id,
      title: id,
      ...OPEN,
      items: items.map((item) => ({ ...tree.newItem("heading", { title: item }), id: item })),
    })),
  };
}
const layoutOf = (found: MenuContent) =>
  Object.fromEntries(found.sections.map((node) => [node.id, node.items.map((item) => item.id)]));
const BASE = menu({ a: ["a1", "a2", "a3"], b: ["b1"], c: [] });

describe("the tree of a menu", () => {
  it("moves step by step, over the edge of a section into the next one", () => {
    expect(layoutOf(tree.step(BASE, "a1", 1)).a).toEqual(["a2", "a1", "a3"]);
    expect(layoutOf(tree.step(BASE, "a3", 1))).toEqual({ a: ["a1", "a2"], b: ["a3", "b1"], c: [] });
    expect(layoutOf(tree.step(BASE, "b1", -1)).a).toEqual(["a1", "a2", "a3", "b1"]);
    expect(Object.keys(layoutOf(tree.step(BASE, "b", -1)))).toEqual(["b", "a", "c"]);
    expect(tree.canStep(BASE, "a1", -1)).toBe(false);
    expect(tree.canStep(BASE, "c", 1)).toBe(false);
  });
  it("walks an item through the whole menu and back", () => {
    let found = BASE;
    for (let count = 0; count < 5; count += 1) found = tree.step(found, "a1", 1);
    expect(layoutOf(found)).toEqual({ a: ["a2", "a3"], b: ["b1"], c: ["a1"] });
    for (let count = 0; count < 5; count += 1) found = tree.step(found, "a1", -1);
    expect(layoutOf(found)).toEqual(layoutOf(BASE));
  });
  it("drops where it was dropped", () => {
    expect(layoutOf(tree.moveItem(BASE, "a1", "b", 1)).b).toEqual(["b1", "a1"]);
    expect(layoutOf(tree.moveItem(BASE, "a1", "a", 2)).a).toEqual(["a2", "a3", "a1"]);
    expect(tree.moveItem(BASE, "a1", "nowhere", 0)).toBe(BASE);
    expect(tree.moveItem(BASE, "nothing", "a", 0)).toBe(BASE);
  });
  it("changes and removes one node and leaves the others as they are", () => {
    const changed = tree.update(BASE, "a2", { title: "x" });
    expect(changed.sections[0]?.items[1]?.title).toBe("x");
    expect(changed.sections[1]).toBe(BASE.sections[1]);
    expect(layoutOf(tree.remove(BASE, "a2")).a).toEqual(["a1", "a3"]);
    expect(Object.keys(layoutOf(tree.remove(BASE, "a")))).toEqual(["b", "c"]);
  });
  it("makes identifiers that the server takes", () => {
    const ids = new Set(Array.from({ length: 200 }, tree.newId));
    expect(ids.size).toBe(200);
    for (const id of ids) expect(id).toMatch(/^[0-9a-z]{4,20}$/);
  });
});

describe("choosing after a merge", () => {
  const conflict = (values: Partial<MergeConflict>): MergeConflict => ({
    id: "a1",
    kind: "field",
    field: "title",
    title: "a1",
    base: null,
    mine: "我",
    theirs: "他",
    ...values,
  });
  it("keeps mine, or puts theirs in", () => {
    const conflicts = [conflict({})];
    expect(choose(BASE, conflicts, ["mine"])).toBe(BASE);
    expect(choose(BASE, conflicts, ["theirs"]).sections[0]?.items[0]?.title).toBe("他");
  });
  it("removes what was removed, by whoever removed it", () => {
    const mine = [conflict({ kind: "removed", field: "mine" })];
    expect(layoutOf(choose(BASE, mine, ["mine"])).a).toEqual(["a2", "a3"]);
    expect(layoutOf(choose(BASE, mine, ["theirs"])).a).toEqual(["a1", "a2", "a3"]);
    const theirs = [conflict({ kind: "removed", field: "theirs" })];
    expect(layoutOf(choose(BASE, theirs, ["theirs"])).a).toEqual(["a2", "a3"]);
  });
  it("takes their place and their order", () => {
    const place = [conflict({ kind: "place", field: "section", mine: "a", theirs: "c" })];
    expect(layoutOf(choose(BASE, place, ["theirs"])).c).toEqual(["a1"]);
    const order = [
      conflict({ id: "a", kind: "order", mine: [], theirs: ["a3", "a1"] }),
      conflict({ id: "", kind: "order", mine: [], theirs: ["c", "b", "a"] }),
    ];
    const found = layoutOf(choose(BASE, order, ["theirs", "theirs"]));
    expect(found.a).toEqual(["a3", "a1", "a2"]);
    expect(Object.keys(found)).toEqual(["c", "b", "a"]);
  });
});
