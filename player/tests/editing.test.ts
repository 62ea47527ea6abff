import { describe, expect, it } from "vitest";
import { chosenTrack } from "@/media/captionChoice";
import {
  activeAt,
  differences,
  faultsOf,
  findAll,
  insertAt,
  merge,
  replaceAll,
  shifted,
  split,
  widthOf,
  withChange,
  without,
  type EditedCue,
} from "@/media/cues";
import {
  complement,
  formatExact,
  keptOf,
  normalise,
  parseExact,
  skipTo,
  toCutTime,
  totalOf,
  toUncutTime,
} from "@/media/cuts";
import { History } from "@/media/history";
import {
  parseStoryboard,
  parseWaveform,
  peakBetween,
  tileAt,
  windowAround,
} from "@/media/storyboard";
import { loadDraft } from "@/pages/desk/captions/draft";
import { cueKey } from "@/pages/desk/captions/keys";
import { toSrt } from "@/pages/desk/captions/srt";
import { editKey } from "@/pages/desk/edit/keys";
import { partOf } from "@/pages/desk/material";

const cue = (id: number, start_ms: number, end_ms: number, text: string): EditedCue => ({
  ...{ id, start_ms, end_ms, text },
});
const three = [cue(1, 0, 1000, "同志们好"), cue(2, 1000, 3000, "今天学习"), cue(3, 4000, 5000, "第一讲")]; // prettier-ignore

describe("editing cues", () => {
  it("counts Latin letters half", () => {
    expect(widthOf("一二三")).toBe(3);
    expect(widthOf("ABC，")).toBe(2.5);
    expect(widthOf("“引号”—")).toBe(5);
  });
  it("names what is wrong with a cue", () => {
    const wide = cue(9, 500, 600, `${"长".repeat(19)}\n二\n三`);
    expect(faultsOf(wide, three[0] ?? null)).toEqual([
      ...["too_wide", "too_many_lines", "too_short", "overlap"],
    ]);
    expect(faultsOf(cue(9, 0, 900, " "), null)).toEqual(["empty"]);
    expect(faultsOf(three[1] as EditedCue, three[0] as EditedCue)).toEqual([]);
  });
  it("splits at a character, and its time by the letters", () => {
    const parts = split(three, 2, 1);
    expect(parts.slice(1, 3)).toEqual([cue(2, 1000, 1500, "今"), cue(4, 1500, 3000, "天学习")]);
    expect(split(three, 2, 0)).toEqual(three);
    expect(split(three, 99, 1)).toEqual(three);
  });
  it("joins with the next, Latin words with a space", () => {
    expect(merge(three, 1)[0]).toEqual(cue(1, 0, 3000, "同志们好今天学习"));
    expect(merge([cue(1, 0, 1, "red"), cue(2, 1, 2, "flag")], 1)[0]?.text).toBe("red flag");
    expect(merge(three, 3)).toEqual(three);
  });
  it("inserts where there is room and keeps the order", () => {
    const { cues, id } = insertAt(three, 3000);
    expect(cues.map((one) => one.id)).toEqual([1, 2, id, 3]);
    expect(cues[2]).toMatchObject({ start_ms: 3000, end_ms: 4000 });
    expect(withChange(three, 3, { start_ms: 10 }).map((one) => one.id)).toEqual([1, 3, 2]);
    expect(without(three, 2).map((one) => one.id)).toEqual([1, 3]);
  });
  it("moves all, never before zero", () => {
    expect(shifted(three, -500)[0]).toMatchObject({ start_ms: 0, end_ms: 500 });
    expect(shifted(three, -5000)[0]).toMatchObject({ start_ms: 0, end_ms: 200 });
    expect(shifted(shifted(three, 700), -700)).toEqual(three);
  });
  it("finds and replaces plain words, also those of a pattern language", () => {
    const dotted = [cue(1, 0, 1, "a.b a.b"), cue(2, 1, 2, "axb")];
    expect(findAll(dotted, "a.b")).toEqual([1]);
    expect(findAll(dotted, "")).toEqual([]);
    expect(replaceAll(dotted, "a.b", "$&")).toMatchObject({
      count: 2,
      cues: [{ text: "$& $&" }, { text: "axb" }],
    });
    expect(replaceAll(dotted, "", "x").count).toBe(0);
  });
  it("knows what shows at a time", () => {
    expect(activeAt(three, 999)?.id).toBe(1);
    expect(activeAt(three, 1000)?.id).toBe(2);
    expect(activeAt(three, 3500)).toBeNull();
  });
  it("shows what only one of two versions has", () => {
    const theirs = [
      three[0] as EditedCue,
      cue(7, 1000, 3000, "今天我们学习"),
      three[2] as EditedCue,
    ];
    const found = differences(three, theirs);
    expect(found.mine.map((one) => one.text)).toEqual(["今天学习"]);
    expect(found.theirs.map((one) => one.text)).toEqual(["今天我们学习"]);
  });
  it("writes SubRip that old programs read", () => {
    expect(toSrt([{ start_ms: 3_723_004, end_ms: 3_724_000, text: "一\n二" }])).toBe(
      "\ufeff1\r\n01:02:03,004 --> 01:02:04,000\r\n一\r\n二\r\n",
    );
  });
  it("reads no draft out of rubbish", () => {
    for (const text of ["{", "7", '[{"text":1}]']) {
      const store = { getItem: () => text } as unknown as Storage;
      expect(loadDraft(store, "c")).toBeNull();
    }
  });
});

describe("history", () => {
  it("undoes typing in one cue at once, and forgets what was undone after a new step", () => {
    const history = new History("");
    history.push("a", "text 1");
    history.push("ab", "text 1");
    history.push("ab|", null);
    expect(history.undo()).toBe("ab");
    expect(history.undo()).toBe("");
    expect(history.canUndo).toBe(false);
    expect(history.redo()).toBe("ab");
    history.push("x");
    expect(history.canRedo).toBe(false);
    expect(history.undo()).toBe("ab");
  });
  it("keeps two hundred steps", () => {
    const history = new History(0);
    for (let step = 1; step <= 500; step += 1) history.push(step);
    let count = 0;
    while (history.canUndo) {
      history.undo();
      count += 1;
    }
    expect(count).toBe(200);
  });
});

describe("cuts", () => {
  const cuts = [
    { start_s: 10, end_s: 20 },
    { start_s: 0, end_s: 2 },
    { start_s: 19, end_s: 25 },
  ];
  it("join, sort and stay inside", () => {
    expect(normalise([...cuts, { start_s: 90, end_s: 140 }], 100)).toEqual([
      { start_s: 0, end_s: 2 },
      { start_s: 10, end_s: 25 },
      { start_s: 90, end_s: 100 },
    ]);
    expect(normalise([{ start_s: 8, end_s: 3 }], 100)).toEqual([{ start_s: 3, end_s: 8 }]);
  });
  it("are the other side of what is kept", () => {
    const kept = complement(cuts, 100);
    expect(complement(kept, 100)).toEqual(normalise(cuts, 100));
    expect(totalOf(kept) + totalOf(normalise(cuts, 100))).toBeCloseTo(100);
    expect(complement([], 5)).toEqual([{ start_s: 0, end_s: 5 }]);
  });
  it("take slips of the hand with them", () => {
    const close = [
      { start_s: 0, end_s: 5 },
      { start_s: 5.1, end_s: 9 },
    ];
    expect(keptOf(close, 10)).toEqual([{ start_s: 9, end_s: 10 }]);
  });
  it("are skipped while playing", () => {
    expect(skipTo(10, cuts.slice(0, 1))).toBe(20);
    expect(skipTo(20, cuts.slice(0, 1))).toBeNull();
  });
  it("map times to and fro", () => {
    const kept = complement(cuts, 100);
    for (const at_s of [2, 5, 9.99, 25, 60, 99]) {
      expect(toUncutTime(toCutTime(at_s, kept), kept)).toBeCloseTo(at_s, 6);
    }
    expect(toCutTime(15, kept)).toBe(8);
    expect(toUncutTime(1e9, kept)).toBe(100);
  });
  it.each([
    ["83", 83],
    ["1:23.5", 83.5],
    ["1:02:03,004", 3723.004],
    ["１：２３", 83],
    [" 0:05 ", 5],
    ["1:75", null],
    ["-3", null],
    ["", null],
    ["1:2:3:4", null],
    ["abc", null],
  ])("read %s", (text, seconds) => {
    const found = parseExact(text);
    if (seconds === null) expect(found).toBeNull();
    else expect(found).toBeCloseTo(seconds, 6);
  });
  it("write what they read", () => {
    for (const at_s of [0, 0.04, 59.999, 60, 3599.96, 3600, 7322.5]) {
      expect(parseExact(formatExact(at_s))).toBeCloseTo(at_s, 6);
    }
    expect(formatExact(-1)).toBe("0:00.000");
  });
});

describe("pictures and loudness of the timeline", () => {
  const text =
    "WEBVTT\r\n\r\n00:00.000 --> 00:04.000\r\na.jpg#xywh=0,0,160,90\r\n\r\n01:00:04.000 --> 01:00:08.000\nb.jpg#xywh=160,90,160,90\n";
  it("come out of WebVTT, from several sheets", () => {
    const tiles = parseStoryboard(text, "http://hall/media/x/storyboard.vtt");
    expect(tiles).toHaveLength(2);
    expect(tiles[1]).toEqual({
      ...{ start_s: 3604, end_s: 3608, url: "http://hall/media/x/b.jpg" },
      ...{ x: 160, y: 90, width: 160, height: 90 },
    });
    expect(tileAt(tiles, 5)?.start_s).toBe(0);
    expect(tileAt(tiles, 4000)?.start_s).toBe(3604);
    expect(tileAt([], 1)).toBeNull();
    expect(parseStoryboard("nothing", "http://hall/")).toEqual([]);
  });
  it("are no waveform when they are something else", () => {
    for (const value of [null, 7, {}, { step_ms: 0, peaks: [] }, { step_ms: 10, peaks: "x" }]) {
      expect(parseWaveform(value)).toBeNull();
    }
    const waveform = parseWaveform({ version: 1, step_ms: 500, peaks: [0, 255, 51, "x"] });
    expect(waveform?.peaks).toEqual([0, 1, 0.2, 0]);
    expect(peakBetween(waveform as NonNullable<typeof waveform>, 0.4, 1.1)).toBe(1);
    expect(peakBetween(waveform as NonNullable<typeof waveform>, 99, 100)).toBe(0);
  });
  it("stay inside the lecture when zoomed", () => {
    expect(windowAround(50, 100, 4)).toEqual({ start_s: 37.5, end_s: 62.5 });
    expect(windowAround(99, 100, 4)).toEqual({ start_s: 75, end_s: 100 });
    expect(windowAround(0, 100, 1)).toEqual({ start_s: 0, end_s: 100 });
  });
});

describe("keys and choices", () => {
  const key = (
    code: string,
    with_: Partial<Record<"ctrlKey" | "altKey" | "shiftKey", boolean>> = {},
  ) => ({
    ...{ code, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false },
    ...with_,
  });
  it("work in the caption editor only with a second key: people type there", () => {
    expect(cueKey(key("KeyM"))).toBeNull();
    expect(cueKey(key("Enter"))).toBeNull();
    expect(cueKey(key("Enter", { altKey: true }))).toBe("play");
    expect(cueKey(key("Enter", { ctrlKey: true }))).toBe("split");
    expect(cueKey(key("KeyZ", { ctrlKey: true, shiftKey: true }))).toBe("redo");
  });
  it("leave fields and buttons what they need on the cutting page", () => {
    expect(editKey(key("KeyI"), "BODY", null)).toEqual({ action: "in" });
    expect(editKey(key("KeyI"), "INPUT", null)).toBeNull();
    expect(editKey(key("Space"), "BUTTON", null)).toBeNull();
    expect(editKey(key("ArrowRight"), "CANVAS", "slider")).toEqual({ action: "frames", by: 1 });
    expect(editKey(key("ArrowLeft", { shiftKey: true }), "BODY", null)).toEqual({
      ...{ action: "seconds", by: -1 },
    });
  });
  it("remember a language, not a number", () => {
    const tracks = [
      { language: "en", isDefault: false },
      { language: "zh-CN", isDefault: true },
    ];
    expect(chosenTrack(tracks, null)).toBe(1);
    expect(chosenTrack(tracks, "off")).toBe(-1);
    expect(chosenTrack(tracks, "zh-TW")).toBe(1);
    expect(chosenTrack(tracks, "mn")).toBe(-1);
    expect(chosenTrack([], null)).toBe(-1);
  });
  it("tell how much of a lecture is there", () => {
    const rung = (state: string) => ({ kind: "video", height: 360, state });
    const lecture = (states: string[], playback: unknown = {}) =>
      ({ playback, renditions: states.map(rung) }) as unknown as Parameters<typeof partOf>[0];
    expect(partOf(lecture(["done", "running", "queued"]))).toEqual({ done: 1, total: 3 });
    expect(partOf(lecture(["done", "done"]))).toBeNull();
    expect(partOf(lecture(["done", "queued"], null))).toBeNull();
  });
});
