/** The moment that an address asks for: `?t=760`. Pure. */

const MAX_S = 100 * 3600; // Longer than any lecture that is taken.

/** Seconds from the beginning, or null when the address asks for none. */
export function readStart(value: unknown): number | null {
  if (typeof value !== "string" || !/^\d{1,6}(\.\d{1,3})?$/.test(value)) return null;
  const start_s = Number(value);
  return start_s <= MAX_S ? start_s : null;
}
