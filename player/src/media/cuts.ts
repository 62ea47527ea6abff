/** Cutting a lecture: what is kept, what is taken out, and times on both sides. Pure. */

/** Half-open, in seconds of the uncut lecture. */
export interface Range {
  start_s: number;
  end_s: number;
}

export const MIN_RANGE_S = 0.2; // The server refuses shorter kept pieces: slips of the hand.

/** Sorted, inside the lecture, touching ones joined, empty ones gone. */
export function normalise(ranges: readonly Range[], duration_s: number): Range[] {
  const inside = ranges
    .map(({ start_s, end_s }) => ({
      start_s: Math.max(0, Math.min(start_s, end_s)),
      end_s: Math.min(duration_s, Math.max(start_s, end_s)),
    }))
    .filter((range) => range.end_s > range.start_s)
    .sort((a, b) => a.start_s - b.start_s);
  const joined: Range[] = [];
  for (const range of inside) {
    const last = joined[joined.length - 1];
    if (last && range.start_s <= last.end_s) last.end_s = Math.max(last.end_s, range.end_s);
    else joined.push({ ...range });
  }
  return joined;
}

/** What lies between the ranges. Kept <-> cut. */
export function complement(ranges: readonly Range[], duration_s: number): Range[] {
  const rest: Range[] = [];
  let at_s = 0;
  for (const range of normalise(ranges, duration_s)) {
    if (range.start_s > at_s) rest.push({ start_s: at_s, end_s: range.start_s });
    at_s = range.end_s;
  }
  if (at_s < duration_s) rest.push({ start_s: at_s, end_s: duration_s });
  return rest;
}

/** Pieces between cuts that are too short to keep go with the cuts. */
export function keptOf(cuts: readonly Range[], duration_s: number): Range[] {
  return complement(cuts, duration_s).filter(
    ({ start_s, end_s }) => end_s - start_s >= MIN_RANGE_S,
  );
}

export function totalOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, range) => sum + range.end_s - range.start_s, 0);
}

/** Where playback goes on when it stands inside a cut; null outside of all cuts. */
export function skipTo(at_s: number, cuts: readonly Range[]): number | null {
  const inside = cuts.find((cut) => at_s >= cut.start_s && at_s < cut.end_s);
  return inside ? inside.end_s : null;
}

/** Uncut time to the time of the cut lecture; inside a cut it is the place of the cut. */
export function toCutTime(at_s: number, kept: readonly Range[]): number {
  let sum_s = 0;
  for (const range of kept) {
    if (at_s <= range.start_s) break;
    sum_s += Math.min(at_s, range.end_s) - range.start_s;
  }
  return sum_s;
}

/** Time of the cut lecture to uncut time. */
export function toUncutTime(at_s: number, kept: readonly Range[]): number {
  let left_s = at_s;
  for (const range of kept) {
    const length_s = range.end_s - range.start_s;
    if (left_s < length_s) return range.start_s + left_s;
    left_s -= length_s;
  }
  const last = kept[kept.length - 1];
  return last ? last.end_s : at_s;
}

/** `1:02:03.450`, as the editors' pages write and read times. */
export function formatExact(at_s: number): string {
  const total_ms = Math.max(0, Math.round(at_s * 1000));
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(total_ms / 3_600_000);
  const minutes = Math.floor(total_ms / 60_000) % 60;
  const rest = `${two(Math.floor(total_ms / 1000) % 60)}.${String(total_ms % 1000).padStart(3, "0")}`;
  return hours > 0 ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}

/** Seconds of `83`, `1:23`, `1:23.5`, `0:01:23,456` (also full-width); null when it is no time. */
export function parseExact(text: string): number | null {
  const plain = text
    .trim()
    .replaceAll("：", ":")
    .replaceAll("．", ".")
    .replaceAll("，", ".")
    .replaceAll(",", ".")
    .replace(/[０-９]/g, (digit) => String.fromCharCode(digit.charCodeAt(0) - 0xfee0));
  if (!/^(?:\d{1,3}:)?(?:\d{1,4}:)?\d{1,6}(?:\.\d{0,3})?$/.test(plain)) return null;
  const parts = plain.split(":").map(Number);
  if (parts.slice(1).some((part) => part >= 60)) return null;
  return parts.reduce((sum, part) => sum * 60 + part, 0);
}
