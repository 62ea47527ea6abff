/** Which captions a person wants to read, on this device: a language, or "off". */

const KEY = "hall.captionLanguage";

export function loadCaptionChoice(store: Storage | null): string | null {
  return store?.getItem(KEY) ?? null;
}

export function saveCaptionChoice(store: Storage | null, language: string): void {
  try {
    store?.setItem(KEY, language);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error; // Full or forbidden: for this visit only.
  }
}

const main = (language: string) => language.toLowerCase().split("-")[0];

/** Pure: index of the track to show, -1 for none. */
export function chosenTrack(
  tracks: readonly { language: string; isDefault: boolean }[],
  wanted: string | null,
): number {
  if (wanted === "off") return -1;
  if (wanted === null) return tracks.findIndex((track) => track.isDefault);
  const exact = tracks.findIndex((track) => track.language === wanted);
  return exact >= 0 ? exact : tracks.findIndex((track) => main(track.language) === main(wanted));
}
