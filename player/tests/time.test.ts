import { describe, expect, it } from "vitest";
import {
  countdownTo,
  daysAway,
  formatClock,
  formatDay,
  formatDuration,
  shanghaiInputToUtc,
  utcToShanghaiInput,
} from "@/app/time";

describe("durations", () => {
  it.each([
    [0, "0:00"],
    [59.9, "0:59"],
    [760, "12:40"],
    [3723, "1:02:03"],
    [-5, "0:00"],
    [Number.NaN, "0:00"],
    [null, "0:00"],
    [undefined, "0:00"],
  ])("%s s reads %s", (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });
});

describe("Shanghai time, whatever the device says", () => {
  it("shows a UTC moment as Beijing clock and day", () => {
    expect(formatClock("2026-11-23T16:30:00Z", "zh-CN")).toBe("00:30");
    expect(
      formatDay("2026-11-23T16:30:00Z", "zh-CN", Date.parse("2026-11-23T10:00:00Z")),
    ).toContain("24");
  });
  it("adds the year when it is another one", () => {
    const now = Date.parse("2026-11-23T10:00:00Z");
    expect(formatDay("2025-11-23T10:00:00Z", "zh-CN", now)).toContain("2025");
    expect(formatDay("2026-01-23T10:00:00Z", "zh-CN", now)).not.toContain("2026");
  });
  it("counts calendar days there, not 24 hours", () => {
    const lateEvening = Date.parse("2026-11-23T15:59:00Z"); // 23:59 in Shanghai.
    expect(daysAway("2026-11-23T16:01:00Z", lateEvening)).toBe(1);
    expect(daysAway("2026-11-23T00:00:00Z", lateEvening)).toBe(0);
    expect(daysAway("2026-11-22T15:59:00Z", lateEvening)).toBe(-1);
  });
  it("reads a datetime-local field as Shanghai time, and back", () => {
    expect(shanghaiInputToUtc("2026-11-24T09:00")).toBe("2026-11-24T01:00:00.000Z");
    expect(utcToShanghaiInput("2026-11-24T01:00:00.000Z")).toBe("2026-11-24T09:00");
    expect(shanghaiInputToUtc("tomorrow")).toBeNull();
    expect(shanghaiInputToUtc("2026-13-45T99:00")).toBeNull();
  });
});

describe("countdown", () => {
  it("splits what is left and stops at zero", () => {
    const start = "2026-11-25T01:02:03Z";
    expect(countdownTo(start, Date.parse("2026-11-23T00:00:00Z"))).toEqual({
      isPast: false,
      days: 2,
      hours: 1,
      minutes: 2,
      seconds: 3,
    });
    expect(countdownTo(start, Date.parse("2026-11-26T00:00:00Z"))).toEqual({
      isPast: true,
      days: 0,
      hours: 0,
      minutes: 0,
      seconds: 0,
    });
  });
});
