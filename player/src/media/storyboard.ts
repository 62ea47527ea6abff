/** Storyboards and waveforms as they lie beside an asset. Pure, total. */

export interface Tile {
  start_s: number;
  end_s: number;
  url: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

const CUE = /([\d:.]+)\s*-->\s*([\d:.]+)[^\n]*\n([^\n#]+)#xywh=(\d+),(\d+),(\d+),(\d+)/g;

function seconds(text: string | undefined): number {
  return (text ?? "").split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
}

/** Tiles of a storyboard's WebVTT; lines that are none are passed over. */
export function parseStoryboard(text: string, base: string): Tile[] {
  return [...text.replaceAll("\r", "").matchAll(CUE)].map((found) => ({
    start_s: seconds(found[1]),
    end_s: seconds(found[2]),
    url: new URL((found[3] ?? "").trim(), base).href,
    x: Number(found[4]),
    y: Number(found[5]),
    width: Number(found[6]),
    height: Number(found[7]),
  }));
}

/** The tile of a time; the last one before it when there is a hole. */
export function tileAt(tiles: readonly Tile[], at_s: number): Tile | null {
  let low = 0;
  let high = tiles.length - 1;
  let found = -1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if ((tiles[middle]?.start_s ?? Number.POSITIVE_INFINITY) <= at_s) {
      found = middle;
      low = middle + 1;
    } else high = middle - 1;
  }
  return tiles[found] ?? tiles[0] ?? null;
}

export interface Waveform {
  step_s: number;
  /** 0 to 1. */
  peaks: number[];
}

/** `{"version": 1, "step_ms": ..., "peaks": [0..255]}`; anything else is no waveform. */
export function parseWaveform(value: unknown): Waveform | null {
  const found = value as { step_ms?: unknown; peaks?: unknown } | null;
  const step_ms = Number(found?.step_ms);
  if (!(step_ms > 0) || !Array.isArray(found?.peaks)) return null;
  return {
    step_s: step_ms / 1000,
    peaks: found.peaks.map((peak) => Math.min(1, Math.max(0, Number(peak) / 255 || 0))),
  };
}

/** The loudest peak between two times: columns of a drawing miss nothing. */
export function peakBetween(waveform: Waveform, from_s: number, to_s: number): number {
  const first = Math.max(0, Math.floor(from_s / waveform.step_s));
  const last = Math.min(
    waveform.peaks.length,
    Math.max(first + 1, Math.ceil(to_s / waveform.step_s)),
  );
  let loudest = 0;
  for (let index = first; index < last; index += 1) {
    loudest = Math.max(loudest, waveform.peaks[index] ?? 0);
  }
  return loudest;
}

/** What of a lecture a zoomed timeline shows, around a time that must stay in view. */
export function windowAround(at_s: number, duration_s: number, zoom: number) {
  const length_s = duration_s / Math.max(1, zoom);
  const start_s = Math.min(Math.max(0, at_s - length_s / 2), Math.max(0, duration_s - length_s));
  return { start_s, end_s: start_s + length_s };
}
