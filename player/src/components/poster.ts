/** Poster colours for what has no picture yet: the same for the same id, always. Pure. */

const HUES = ["red", "olive", "blue", "brown", "teal", "plum"] as const;
export type PosterHue = (typeof HUES)[number];

export function posterHue(id: string): PosterHue {
  let sum = 7;
  for (const char of id) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) >>> 0;
  return HUES[sum % HUES.length] ?? "red";
}
