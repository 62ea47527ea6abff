import { describe, expect, it } from "vitest";
import { computeMark, isWhole } from "@/pages/contests/mark";
import { buildSource } from "@/pages/contests/source";
import { splitLines } from "@/pages/desk/contests/rules";

describe("points of a judge", () => {
  it("are whole numbers from 0 to 100", () => {
    for (const good of [0, 55, 100]) expect(isWhole(good)).toBe(true);
    for (const bad of [-1, 101, 1.5, NaN, "", "50", null, undefined])
      expect(isWhole(bad)).toBe(false);
  });
  it("are weighed by the criteria", () => {
    const criteria = [
      { key: "c1", weight: 60 },
      { key: "c2", weight: 40 },
    ];
    expect(computeMark({ c1: 80, c2: 90 }, criteria)).toBe(84);
    expect(computeMark({}, [])).toBe(0);
  });
});

describe("lines of a text field", () => {
  it("are taken once, without what is empty", () => {
    expect(splitLines(" 微视频\r\n\n纪录片 \n微视频")).toEqual(["微视频", "纪录片"]);
  });
});

describe("what the player gets of a film", () => {
  it("is nothing without something to play", () => {
    expect(buildSource(null)).toBeNull();
    const playback = { hls_url: "https://a/index.m3u8", audio_url: "https://a/audio.m3u8" };
    expect(buildSource(playback)).toMatchObject({ ...playback, isLive: false });
  });
});
