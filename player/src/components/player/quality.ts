/** What the quality menu offers. Pure. */
import type { QualityLevel } from "@/media/hlsSession";

export interface QualityChoice {
  /** -1 is automatic. */
  index: number;
  height: number;
  bitrate_bps: number;
}

/**
 * Best first: every rung; of equal ones (the same rung from a second server) the first. Of a
 * lecture in two codecs only those of the one that plays: nobody chooses between codecs.
 */
export function choicesOf(levels: readonly QualityLevel[], current = -1): QualityChoice[] {
  const known = new Map<string, QualityChoice>();
  const codec = (levels.find((level) => level.index === current) ?? levels[0])?.codec;
  for (const { index, height, bitrate_bps } of levels.filter((one) => one.codec === codec)) {
    const key = `${height} ${bitrate_bps}`;
    if (!known.has(key)) known.set(key, { index, height, bitrate_bps });
  }
  return [...known.values()].sort((a, b) => b.height - a.height || b.bitrate_bps - a.bitrate_bps);
}

/** Elder mode asks "clear or saving?", not for pixels. */
export function simpleChoices(
  choices: readonly QualityChoice[],
): { clear: QualityChoice; saving: QualityChoice } | null {
  const clear = choices[0];
  const saving = choices[choices.length - 1];
  return clear && saving && clear.index !== saving.index ? { clear, saving } : null;
}
