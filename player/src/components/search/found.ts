/** What was found, as pages show it. Pure. */
import type { MarkedText, SearchKind, SearchMoment } from "@/api/search";

export const KINDS: readonly SearchKind[] = ["lecture", "series", "live_class", "instructor"];
export const MAX_QUERY_CHARS = 200; // What the API takes.

export interface Piece {
  text: string;
  isMarked: boolean;
}

/** Cut a text at its marks, which count Unicode code points; whatever they say, no text is lost. */
export function cutPieces(marked: MarkedText): Piece[] {
  const chars = [...marked.text];
  const pieces: Piece[] = [];
  let at = 0;
  const add = (end: number, isMarked: boolean) => {
    if (end > at) pieces.push({ text: chars.slice(at, end).join(""), isMarked });
    at = Math.max(at, end);
  };
  for (const { start, end } of marked.ranges) {
    add(Math.min(start, chars.length), false);
    add(Math.min(end, chars.length), true);
  }
  add(chars.length, false);
  return pieces;
}

const PAGES: Readonly<Record<SearchKind, string>> = {
  lecture: "/lectures",
  series: "/series",
  live_class: "/classes",
  instructor: "/instructors",
};

export function pageOf(found: { kind: SearchKind; id: string }): string {
  return `${PAGES[found.kind]}/${found.id}`;
}

/** The lecture's page, playing from the moment on. */
export function momentPath(lectureId: string, moment: SearchMoment): string {
  return `/lectures/${lectureId}?t=${Math.floor(moment.start_s)}`;
}

export function asKind(value: unknown): SearchKind | undefined {
  return KINDS.find((kind) => kind === value);
}
