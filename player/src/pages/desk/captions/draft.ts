/** Edits that are not at the server yet survive a crash of the browser, on this device. */
import type { Cue } from "@/api/pipeline";

const keyOf = (captionsId: string) => `hall.captions.${captionsId}`;

export function saveDraft(store: Storage | null, captionsId: string, cues: readonly Cue[]): void {
  try {
    store?.setItem(keyOf(captionsId), JSON.stringify(cues));
  } catch (error) {
    if (!(error instanceof DOMException)) throw error; // Full: the server still gets it.
  }
}

export function clearDraft(store: Storage | null, captionsId: string): void {
  store?.removeItem(keyOf(captionsId));
}

/** Total: anything else in the store is no draft. */
export function loadDraft(store: Storage | null, captionsId: string): Cue[] | null {
  try {
    const value: unknown = JSON.parse(store?.getItem(keyOf(captionsId)) ?? "null");
    return Array.isArray(value) && value.every(isCue) ? value : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function isCue(value: unknown): value is Cue {
  const cue = value as Partial<Cue> | null;
  return (
    Number.isFinite(cue?.start_ms) && Number.isFinite(cue?.end_ms) && typeof cue?.text === "string"
  );
}
