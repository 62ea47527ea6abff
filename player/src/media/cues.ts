/** Editing captions: every change makes a new list. Pure. */

export interface EditedCue {
  /** Of this visit only; the server knows no ids of cues. */
  id: number;
  start_ms: number;
  end_ms: number;
  text: string;
}

export const MAX_LINE_WIDTH = 18; // Full-width characters, as the reading guide asks.
export const MAX_LINES = 2;
export const MIN_CUE_MS = 200;
const NEW_CUE_MS = 2_000;

// CJK, kana, hangul, full-width forms and the punctuation that goes with them take a whole square.
const WIDE = /[\u1100-\u115f\u2014\u2018-\u201d\u2026\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u; // prettier-ignore

/** Width of a line in full-width characters; Latin letters count half. */
export function widthOf(line: string): number {
  let width = 0;
  for (const char of line) width += WIDE.test(char) ? 1 : 0.5;
  return width;
}

export type CueFault = "too_wide" | "too_many_lines" | "too_short" | "overlap" | "empty";

export function faultsOf(cue: EditedCue, previous: EditedCue | null): CueFault[] {
  const lines = cue.text.split("\n");
  const faults: CueFault[] = [];
  if (cue.text.trim() === "") faults.push("empty");
  if (lines.some((line) => widthOf(line.trim()) > MAX_LINE_WIDTH)) faults.push("too_wide");
  if (lines.length > MAX_LINES) faults.push("too_many_lines");
  if (cue.end_ms - cue.start_ms < MIN_CUE_MS) faults.push("too_short");
  if (previous && cue.start_ms < previous.end_ms) faults.push("overlap");
  return faults;
}

export function sorted(cues: readonly EditedCue[]): EditedCue[] {
  return [...cues].sort((a, b) => a.start_ms - b.start_ms || a.end_ms - b.end_ms);
}

export function nextId(cues: readonly EditedCue[]): number {
  return cues.reduce((highest, cue) => Math.max(highest, cue.id), 0) + 1;
}

export function withChange(
  cues: readonly EditedCue[],
  id: number,
  change: Partial<Omit<EditedCue, "id">>,
): EditedCue[] {
  const changed = cues.map((cue) => (cue.id === id ? { ...cue, ...change } : cue));
  return change.start_ms === undefined ? changed : sorted(changed);
}

/** In two at a character; the time is shared by the letters on each side. */
export function split(cues: readonly EditedCue[], id: number, at: number): EditedCue[] {
  const index = cues.findIndex((cue) => cue.id === id);
  const cue = cues[index];
  if (!cue) return [...cues];
  const before = cue.text.slice(0, at).trim();
  const after = cue.text.slice(at).trim();
  if (before === "" || after === "") return [...cues];
  const share = before.length / (before.length + after.length);
  const middle_ms = Math.round(cue.start_ms + (cue.end_ms - cue.start_ms) * share);
  return [
    ...cues.slice(0, index),
    { ...cue, end_ms: middle_ms, text: before },
    { id: nextId(cues), start_ms: middle_ms, end_ms: cue.end_ms, text: after },
    ...cues.slice(index + 1),
  ];
}

/** One with the next; Chinese is joined without a space, Latin words with one. */
export function merge(cues: readonly EditedCue[], id: number): EditedCue[] {
  const index = cues.findIndex((cue) => cue.id === id);
  const cue = cues[index];
  const next = cues[index + 1];
  if (!cue || !next) return [...cues];
  const left = cue.text.trimEnd();
  const right = next.text.trimStart();
  const glue = /[\w.,;:!?]$/.test(left) && /^\w/.test(right) ? " " : "";
  const one = {
    ...cue,
    end_ms: Math.max(cue.end_ms, next.end_ms),
    text: left + glue + right,
  };
  return [...cues.slice(0, index), one, ...cues.slice(index + 2)];
}

/** An empty cue at a time, as long as there is room before the next one. */
export function insertAt(
  cues: readonly EditedCue[],
  start_ms: number,
): { cues: EditedCue[]; id: number } {
  const next = cues.find((cue) => cue.start_ms > start_ms);
  const end_ms = Math.min(start_ms + NEW_CUE_MS, next?.start_ms ?? Number.POSITIVE_INFINITY);
  const id = nextId(cues);
  const cue = { id, start_ms, end_ms: Math.max(end_ms, start_ms + MIN_CUE_MS), text: "" };
  return { cues: sorted([...cues, cue]), id };
}

export function without(cues: readonly EditedCue[], id: number): EditedCue[] {
  return cues.filter((cue) => cue.id !== id);
}

/** All of them earlier or later; what would begin before zero begins at zero. */
export function shifted(cues: readonly EditedCue[], by_ms: number): EditedCue[] {
  return cues.map((cue) => ({
    ...cue,
    start_ms: Math.max(0, cue.start_ms + by_ms),
    end_ms: Math.max(MIN_CUE_MS, cue.end_ms + by_ms),
  }));
}

export function findAll(cues: readonly EditedCue[], words: string): number[] {
  if (words === "") return [];
  return cues.filter((cue) => cue.text.includes(words)).map((cue) => cue.id);
}

export function replaceAll(
  cues: readonly EditedCue[],
  words: string,
  by: string,
): { cues: EditedCue[]; count: number } {
  if (words === "") return { cues: [...cues], count: 0 };
  let count = 0;
  const changed = cues.map((cue) => {
    const parts = cue.text.split(words);
    if (parts.length === 1) return cue;
    count += parts.length - 1;
    return { ...cue, text: parts.join(by) };
  });
  return { cues: changed, count };
}

/** The cue that shows at a time: the last of those that overlap it. */
export function activeAt(cues: readonly EditedCue[], at_ms: number): EditedCue | null {
  let found: EditedCue | null = null;
  for (const cue of cues) {
    if (cue.start_ms > at_ms) break;
    if (at_ms < cue.end_ms) found = cue;
  }
  return found;
}

interface PlainCue {
  start_ms: number;
  end_ms: number;
  text: string;
}

/** What only one of two versions has, in their order. */
export function differences<A extends PlainCue, B extends PlainCue>(
  mine: readonly A[],
  theirs: readonly B[],
): { mine: A[]; theirs: B[] } {
  const key = (cue: PlainCue) => `${cue.start_ms} ${cue.end_ms} ${cue.text}`;
  const ofMine = new Set(mine.map(key));
  const ofTheirs = new Set(theirs.map(key));
  return {
    mine: mine.filter((cue) => !ofTheirs.has(key(cue))),
    theirs: theirs.filter((cue) => !ofMine.has(key(cue))),
  };
}
