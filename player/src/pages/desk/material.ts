/** A lecture's material as an editor reads it. Pure. */
import type { Lecture } from "@/api/types";

const READY = ["ready", "done"];

/** `可看 1/5`, or null when all of it is there or nothing is known. */
export function partOf(lecture: Lecture): { done: number; total: number } | null {
  if (!lecture.playback) return null;
  const rungs = lecture.renditions.filter((one) => one.kind === "video" || one.height !== null);
  const done = rungs.filter((one) => READY.includes(one.state)).length;
  if (rungs.length === 0 || done === rungs.length) return null;
  return { done, total: rungs.length };
}
