/** Speed and time left of a transfer. Pure: the clock is given. */

const WINDOW_MS = 8_000; // Long enough to be calm, short enough to notice a change of network.
const MIN_SPAN_MS = 700; // One reading is no speed.

export interface Reading {
  at_ms: number;
  bytes: number;
}

/** The readings that still count after a new one; a step back (a resend) starts again. */
export function withReading(readings: readonly Reading[], next: Reading): Reading[] {
  const last = readings[readings.length - 1];
  if (last && next.bytes < last.bytes) return [next];
  const oldest_ms = next.at_ms - WINDOW_MS;
  return [...readings.filter((reading) => reading.at_ms >= oldest_ms), next];
}

/** Bytes per second, or null while too little is known. */
export function speedOf(readings: readonly Reading[]): number | null {
  const first = readings[0];
  const last = readings[readings.length - 1];
  if (!first || !last || last.at_ms - first.at_ms < MIN_SPAN_MS) return null;
  return ((last.bytes - first.bytes) * 1000) / (last.at_ms - first.at_ms);
}

/** Seconds left, or null while nothing flows. */
export function secondsLeft(left_bytes: number, speed_bps: number | null): number | null {
  return speed_bps !== null && speed_bps > 0 ? Math.ceil(left_bytes / speed_bps) : null;
}

const MIN_CHUNK_BYTES = 1024 * 1024;
export const FIRST_CHUNK_BYTES = MIN_CHUNK_BYTES;
const MAX_CHUNK_BYTES = 16 * 1024 * 1024; // Held in memory while its digest is made.
const CHUNK_S = 6; // What a broken connection may cost; a chunk that breaks off is sent again.

/** How much to send at once after a chunk took that long. */
export function nextChunkBytes(bytes: number, took_ms: number): number {
  const wanted = (bytes * 1000 * CHUNK_S) / Math.max(1, took_ms);
  return Math.round(Math.min(MAX_CHUNK_BYTES, Math.max(MIN_CHUNK_BYTES, wanted)));
}

const UNITS = ["B", "KB", "MB", "GB", "TB"] as const;

/** `1.4 GB`, `350 MB`: three digits at most, as file managers write it. */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit] ?? ""}`;
}
