/** Jobs and units as an editor reads them. Pure. */
import type { Unit } from "@/api/types";

const FINAL = ["done", "failed", "cancelled"];

export function isRunning(job: { state: string }): boolean {
  return !FINAL.includes(job.state);
}

const UNIT_RANK: Readonly<Record<Unit["state"], number>> = {
  failed: 0,
  running: 1,
  queued: 2,
  waiting: 3,
  done: 4,
  cancelled: 5,
};

/** What needs a person first, then what moves, then the rest in its own order. */
export function sortUnits(units: readonly Unit[]): Unit[] {
  return [...units].sort(
    (a, b) => UNIT_RANK[a.state] - UNIT_RANK[b.state] || a.key.localeCompare(b.key),
  );
}

export function toneOf(state: string): "ok" | "gold" | "live" | "plain" {
  if (state === "done" || state === "ready") return "ok";
  if (state === "failed") return "live";
  return state === "running" ? "gold" : "plain";
}

export const JOB_STATES = ["queued", "running", "done", "failed", "cancelled"] as const;
export const JOB_KINDS = [
  "transcode_upload",
  "transcode_recording",
  "edit_lecture",
  "transcribe",
  "make_clip",
] as const;
export const PRIORITIES = ["low", "normal", "high"] as const;
