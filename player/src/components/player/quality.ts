/** What the quality menu offers. Pure. */
import type { QualityLevel } from "@/media/hlsSession";

export interface QualityChoice {
  /** -1 is automatic. */
  index: number;
  height: number;
  bitrate_bps: number;
}

/** Best first; of several levels with one height, the richest. */
export function choicesOf(levels: readonly QualityLevel[]): QualityChoice[] {
  const best = new Map<number, QualityChoice>();
  for (const level of levels) {
    const known = best.get(level.height);
    if (!known || known.bitrate_bps < level.bitrate_bps) best.set(level.height, { ...level });
  }
  return [...best.values()].sort((a, b) => b.height - a.height);
}

/** Elder mode asks "clear or saving?", not for pixels. */
export function simpleChoices(
  choices: readonly QualityChoice[],
): { clear: QualityChoice; saving: QualityChoice } | null {
  const clear = choices[0];
  const saving = choices[choices.length - 1];
  return clear && saving && clear.index !== saving.index ? { clear, saving } : null;
}
