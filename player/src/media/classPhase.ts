/** What the class page shows. Pure: no clock, no network.
 *
 *   before --media flows--> live <--> interrupted --ENDLIST or `ended`--> ending --replay--> replay
 *                                                                            \--no recording--> over
 */
import type { LiveClass } from "@/api/types";

export type ClassPhase = "before" | "live" | "interrupted" | "ending" | "replay" | "over";

/** How long an ended class may take to show its replay before we say that there is none. */
export const REPLAY_PATIENCE_MS = 60_000;

export interface PhaseInput {
  state: LiveClass["state"];
  hasPlayback: boolean;
  /** Someone pressed "end"; the last seconds are being closed. */
  isEnding: boolean;
  hasReplay: boolean;
  /** The player has read EXT-X-ENDLIST in the live playlist. */
  sawEnd: boolean;
  /** Since the end was first seen, else null. */
  sinceEnd_ms: number | null;
}

export function phaseOf(input: PhaseInput): ClassPhase {
  const isOver =
    input.state === "ended" || input.isEnding || (input.sawEnd && input.state !== "scheduled");
  if (isOver) {
    if (input.hasReplay && input.state === "ended") return "replay";
    return (input.sinceEnd_ms ?? 0) > REPLAY_PATIENCE_MS ? "over" : "ending";
  }
  if (input.state === "interrupted") return input.hasPlayback ? "interrupted" : "before";
  return input.state === "live" && input.hasPlayback ? "live" : "before";
}

export interface PollInput {
  phase: ClassPhase;
  /** The player waits for media that does not come. */
  isStarving: boolean;
  /** Seconds until the announced start; negative afterwards; null when not announced. */
  untilStart_s: number | null;
  mayManage: boolean;
}

/** Pause before the class is asked for again; null: no more. Viewers are many, so calm is cheap. */
export function pollDelay_ms(input: PollInput): number | null {
  switch (input.phase) {
    case "before":
      return input.untilStart_s !== null && input.untilStart_s > 300 ? 20_000 : 4_000;
    case "live":
      if (input.isStarving) return 2_000;
      return input.mayManage ? 5_000 : 15_000;
    case "interrupted":
      return 3_000;
    case "ending":
      return 500; // The replay is there within three seconds of the end.
    case "over":
      return 15_000;
    case "replay":
      return null;
  }
}

export const LIVE_EDGE_SLACK_S = 4;

/** Is the viewer with the class, or somewhere behind it? */
export function isAtLiveEdge(behind_s: number): boolean {
  return behind_s <= LIVE_EDGE_SLACK_S;
}

const AT_END_S = 1;

/** Where the replay starts for someone who was watching live: the last words are not cut off. */
export function replayStart_s(position_s: number, duration_s: number | null): number {
  if (!Number.isFinite(position_s) || position_s <= 0) return 0;
  if (duration_s === null) return position_s;
  return position_s >= duration_s - AT_END_S ? 0 : position_s;
}
