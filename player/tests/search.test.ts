import { describe, expect, it } from "vitest";
import { afterKey, CLOSED, isSlashShortcut } from "@/components/search/combobox";
import { asKind, cutPieces, momentPath, pageOf } from "@/components/search/found";
import { readStart } from "@/media/startAt";

const key = (name: string, more = {}) => ({
  key: name,
  altKey: false,
  ctrlKey: false,
  metaKey: false,
  isComposing: false,
  ...more,
});

describe("marked texts", () => {
  it("are cut at characters, not at halves of them", () => {
    const marked = { text: "𠮷草原的", ranges: [{ start: 1, end: 3 }] };
    expect(cutPieces(marked)).toEqual([
      { text: "𠮷", isMarked: false },
      { text: "草原", isMarked: true },
      { text: "的", isMarked: false },
    ]);
  });
  it("lose no text, whatever the ranges say", () => {
    for (const ranges of [
      [{ start: 2, end: 1 }],
      [{ start: 0, end: 99 }],
      [
        { start: 2, end: 3 },
        { start: 0, end: 3 },
      ],
    ]) {
      const pieces = cutPieces({ text: "<b>草", ranges });
      expect(pieces.map((piece) => piece.text).join("")).toBe("<b>草");
    }
  });
});

describe("the combobox", () => {
  it("goes round through the list and back to the text", () => {
    let state = CLOSED;
    const seen = [];
    for (let step = 0; step < 4; step += 1) {
      state = afterKey(state, key("ArrowDown"), 2) ?? state;
      seen.push(state.active);
    }
    expect(seen).toEqual([0, 1, -1, 0]);
    expect(afterKey(CLOSED, key("ArrowUp"), 2)?.active).toBe(1);
    expect(afterKey(state, key("Escape"), 2)).toEqual(CLOSED);
    expect(afterKey(CLOSED, key("Escape"), 2)).toBeNull();
  });
  it("leaves the keys to an input method while it composes", () => {
    expect(afterKey(CLOSED, key("ArrowDown", { isComposing: true }), 2)).toBeNull();
    expect(afterKey(CLOSED, key("ArrowDown"), 0)).toBeNull();
  });
});

describe("the slash", () => {
  it("is left to whoever writes", () => {
    const page = document.createElement("main");
    const box = document.createElement("textarea");
    expect(isSlashShortcut(key("/"), page)).toBe(true);
    expect(isSlashShortcut(key("/"), box)).toBe(false);
    expect(isSlashShortcut(key("/", { ctrlKey: true }), page)).toBe(false);
    expect(isSlashShortcut(key("/", { isComposing: true }), null)).toBe(false);
    expect(isSlashShortcut(key("k"), page)).toBe(false);
  });
});

describe("addresses", () => {
  it("lead to what was found and to the moment", () => {
    expect(pageOf({ kind: "live_class", id: "a" })).toBe("/classes/a");
    const moment = { start_s: 760.9, language: "zh-CN", snippet: { text: "", ranges: [] } };
    expect(momentPath("a", moment)).toBe("/lectures/a?t=760");
    expect(asKind("series")).toBe("series");
    expect(asKind("nothing")).toBeUndefined();
  });
  it("say where to start, or nothing", () => {
    expect(readStart("760")).toBe(760);
    expect(readStart("1.5")).toBe(1.5);
    for (const value of ["", "-1", "1e3", "999999", null, ["1"], "abc"])
      expect(readStart(value)).toBeNull();
  });
});
