import { describe, expect, it } from "vitest";
import {
  isAtLiveEdge,
  phaseOf,
  pollDelay_ms,
  REPLAY_PATIENCE_MS,
  replayStart_s,
  type ClassPhase,
  type PhaseInput,
} from "@/media/classPhase";

const base: PhaseInput = {
  state: "scheduled",
  hasPlayback: false,
  isEnding: false,
  hasReplay: false,
  sawEnd: false,
  sinceEnd_ms: null,
};

describe("phase of a class", () => {
  it.each<[string, Partial<PhaseInput>, ClassPhase]>([
    ["scheduled", {}, "before"],
    ["live, media there", { state: "live", hasPlayback: true }, "live"],
    ["live, nothing to play yet", { state: "live" }, "before"],
    ["publisher away", { state: "interrupted", hasPlayback: true }, "interrupted"],
    [
      "ENDLIST seen before the catalogue knows",
      { state: "live", hasPlayback: true, sawEnd: true },
      "ending",
    ],
    ["end was asked for", { state: "live", hasPlayback: true, isEnding: true }, "ending"],
    ["ended, replay not there yet", { state: "ended", sinceEnd_ms: 900 }, "ending"],
    ["ended, replay there", { state: "ended", hasReplay: true }, "replay"],
    ["ended, never recorded", { state: "ended", sinceEnd_ms: REPLAY_PATIENCE_MS + 1 }, "over"],
    [
      "an old replay does not hide a class that runs again",
      { state: "live", hasPlayback: true, hasReplay: true },
      "live",
    ],
  ])("%s -> %s", (_name, input, phase) => {
    expect(phaseOf({ ...base, ...input })).toBe(phase);
  });

  it("is defined for every combination", () => {
    const flags = [false, true];
    for (const state of ["scheduled", "live", "interrupted", "ended"] as const)
      for (const hasPlayback of flags)
        for (const hasReplay of flags)
          for (const sawEnd of flags)
            for (const isEnding of flags)
              for (const sinceEnd_ms of [null, 0, REPLAY_PATIENCE_MS * 2])
                expect(["before", "live", "interrupted", "ending", "replay", "over"]).toContain(
                  phaseOf({ state, hasPlayback, hasReplay, sawEnd, isEnding, sinceEnd_ms }),
                );
  });
});

describe("polling", () => {
  const ask = (phase: ClassPhase, more = {}) =>
    pollDelay_ms({ phase, isStarving: false, untilStart_s: null, mayManage: false, ...more });
  it("looks twice a second for the replay, so that it plays within three seconds", () => {
    expect(ask("ending")).toBeLessThanOrEqual(500);
  });
  it("is calm while all is well and quick when media stops", () => {
    expect(ask("live")).toBeGreaterThanOrEqual(10_000);
    expect(ask("live", { isStarving: true })).toBeLessThanOrEqual(2_000);
  });
  it("is slow long before the start", () => {
    expect(ask("before", { untilStart_s: 3600 })).toBeGreaterThan(
      ask("before", { untilStart_s: 60 }) ?? 0,
    );
  });
  it("stops at the replay", () => {
    expect(ask("replay")).toBeNull();
  });
});

describe("positions", () => {
  it("knows the live edge", () => {
    expect(isAtLiveEdge(0.4)).toBe(true);
    expect(isAtLiveEdge(30)).toBe(false);
  });
  it("goes on in the replay for who was behind, starts over for who was at the end", () => {
    expect(replayStart_s(600, 3600)).toBe(600);
    expect(replayStart_s(3597, 3600)).toBe(3597);
    expect(replayStart_s(3599.5, 3600)).toBe(0);
    expect(replayStart_s(Number.NaN, 3600)).toBe(0);
    expect(replayStart_s(600, null)).toBe(600);
  });
});
