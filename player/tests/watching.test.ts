import { describe, expect, it } from "vitest";
import { PlayedRanges } from "@/media/played";
import { isWorthResuming } from "@/media/resume";

function play(ranges: PlayedRanges, from_s: number, to_s: number, step_s = 0.25) {
  for (let at_s = from_s; at_s <= to_s; at_s += step_s) ranges.move(at_s);
}

describe("played ranges", () => {
  it("joins what was played in a row and leaves seeks out", () => {
    const ranges = new PlayedRanges();
    play(ranges, 0, 10);
    play(ranges, 70, 75);
    play(ranges, 20, 22);
    expect(ranges.take()).toEqual([
      [0, 10],
      [70, 75],
      [20, 22],
    ]);
    expect(ranges.take()).toEqual([]);
    expect(ranges.position_s).toBe(22);
  });
  it("has no gap between two reports of one run", () => {
    const ranges = new PlayedRanges();
    play(ranges, 0, 10.25);
    const first = ranges.take();
    play(ranges, 10.5, 20);
    expect([...first, ...ranges.take()]).toEqual([
      [0, 10],
      [10, 20],
    ]);
  });
  it("counts nothing while it stands still, and gives back what was not sent", () => {
    const ranges = new PlayedRanges();
    play(ranges, 5, 9);
    const taken = ranges.take();
    for (let count = 0; count < 20; count += 1) ranges.move(9);
    expect(ranges.take()).toEqual([]);
    ranges.giveBack(taken);
    expect(ranges.take()).toEqual([[5, 9]]);
  });
  it("stays bounded", () => {
    const ranges = new PlayedRanges();
    for (let at_s = 0; at_s < 3000; at_s += 10) play(ranges, at_s, at_s + 2, 1);
    expect(ranges.take().length).toBe(100);
  });
});

describe("going on", () => {
  it("is worth it except near the edges, which are shorter in short lectures", () => {
    expect(isWorthResuming(59, 3000)).toBe(false);
    expect(isWorthResuming(60, 3000)).toBe(true);
    expect(isWorthResuming(2980, 3000)).toBe(false);
    expect(isWorthResuming(3, 6)).toBe(true);
    expect(isWorthResuming(0, 0)).toBe(false);
  });
});
