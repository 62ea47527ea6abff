import { describe, expect, it } from "vitest";
import { frameOf, isClip, UPRIGHT } from "@/pages/desk/lecture/clipFrame";

describe("the frame of an upright clip", () => {
  it("lies inside the picture and is 9:16", () => {
    for (const [width, height] of [
      [1920, 1080],
      [640, 480],
      [720, 1280],
      [720, 1600],
    ] as const) {
      for (const percent of [0, 30, 100]) {
        const frame = frameOf(width, height, percent);
        expect(frame.left).toBeGreaterThanOrEqual(0);
        expect(frame.left + frame.width).toBeLessThanOrEqual(100.0001);
        expect(frame.top + frame.height).toBeLessThanOrEqual(100.0001);
        expect((frame.width * width) / (frame.height * height)).toBeCloseTo(UPRIGHT, 5);
      }
    }
  });
  it("goes from edge to edge", () => {
    expect(frameOf(1920, 1080, 0).left).toBe(0);
    const right = frameOf(1920, 1080, 100);
    expect(right.left + right.width).toBeCloseTo(100, 5);
  });
  it("takes all of what is upright already", () => {
    expect(frameOf(720, 1280, 70)).toMatchObject({ left: 0, top: 0, width: 100, height: 100 });
  });
});

describe("a range for a clip", () => {
  it.each([
    [null, 5, false],
    [5, null, false],
    [5, 5.5, false],
    [5, 4, false],
    [5, 6, true],
    [0, 600, true],
    [0, 600.1, false],
  ])("%s to %s: %s", (start, end, wanted) => {
    expect(isClip(start, end)).toBe(wanted);
  });
});
