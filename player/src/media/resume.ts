/** Where a member stopped in each lecture, on this device. */

export interface ResumePoint {
  lecture_id: string;
  title: string;
  position_s: number;
  duration_s: number;
  saved_at: number;
}

const KEY = "hall.resume";
const MAX_POINTS = 60; // Oldest are forgotten; keeps the entry below 16 kB.
const MIN_POSITION_S = 60; // Below this, starting over costs nothing.
const NEAR_END_S = 30;
const EDGE_SHARE = 0.1; // Short lectures have short beginnings and ends.

/** Pure: is it worth continuing here? */
export function isWorthResuming(position_s: number, duration_s: number): boolean {
  const edge_s = duration_s * EDGE_SHARE;
  return (
    position_s > 0 &&
    position_s >= Math.min(MIN_POSITION_S, edge_s) &&
    position_s < duration_s - Math.min(NEAR_END_S, edge_s)
  );
}

/** Pure: the list after one more report; finished lectures leave it. */
export function withPoint(points: readonly ResumePoint[], point: ResumePoint): ResumePoint[] {
  const others = points.filter((other) => other.lecture_id !== point.lecture_id);
  const kept = isWorthResuming(point.position_s, point.duration_s) ? [point, ...others] : others;
  return kept.sort((a, b) => b.saved_at - a.saved_at).slice(0, MAX_POINTS);
}

/** Total: anything in the store that is not a list of points is an empty list. */
export function parsePoints(text: string | null): ResumePoint[] {
  try {
    const value: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(value) ? value.filter(isPoint) : [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

function isPoint(value: unknown): value is ResumePoint {
  const point = value as Partial<ResumePoint> | null;
  return (
    typeof point?.lecture_id === "string" &&
    typeof point.title === "string" &&
    Number.isFinite(point.position_s) &&
    Number.isFinite(point.duration_s) &&
    Number.isFinite(point.saved_at)
  );
}

export function loadPoints(store: Storage): ResumePoint[] {
  return parsePoints(store.getItem(KEY));
}

export function savePoint(store: Storage, point: ResumePoint): void {
  store.setItem(KEY, JSON.stringify(withPoint(loadPoints(store), point)));
}

export function dropPoint(store: Storage, lecture_id: string): void {
  const left = loadPoints(store).filter((point) => point.lecture_id !== lecture_id);
  if (left.length > 0) store.setItem(KEY, JSON.stringify(left));
  else store.removeItem(KEY);
}
