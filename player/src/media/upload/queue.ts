/** Which upload runs when, and what its states mean. Pure. */

export const MAX_PARALLEL = 3; // More only divide the same uplink.

/**
 * One file on its way.
 *
 *   waiting -> sending -> done | duplicate | refused
 *   sending <-> paused, sending -> broken (a person may go on)
 *   needs_file: known from an earlier visit; the browser asks for the file again.
 */
export type TransferState =
  "waiting" | "sending" | "paused" | "broken" | "needs_file" | "done" | "duplicate" | "refused";

export function isOver(state: TransferState): boolean {
  return state === "done" || state === "duplicate" || state === "refused";
}

/** Keys of the waiting ones that may start now, first come first served. */
export function nextToStart(
  items: readonly { key: string; state: TransferState }[],
  parallel = MAX_PARALLEL,
): string[] {
  const running = items.filter((item) => item.state === "sending").length;
  return items
    .filter((item) => item.state === "waiting")
    .slice(0, Math.max(0, parallel - running))
    .map((item) => item.key);
}

interface FileFacts {
  name: string;
  size: number;
  lastModified: number;
}

/** Is this the file that was being sent? A server's record knows no date. */
export function isSameFile(
  known: { name: string; size: number; lastModified: number | null },
  file: FileFacts,
): boolean {
  if (known.name !== file.name || known.size !== file.size) return false;
  return known.lastModified === null || known.lastModified === file.lastModified;
}

/** `第一讲_星星之火.final.mp4` -> `第一讲 星星之火.final`. */
export function titleOf(filename: string): string {
  const stem = filename.replace(/\.[^.]{1,8}$/, "") || filename;
  return stem.replaceAll("_", " ").trim().slice(0, 200) || filename.slice(0, 200);
}

const MEDIA = /\.(mp4|m4v|mov|mkv|webm|avi|flv|f4v|wmv|asf|ts|mts|m2ts|mpe?g|vob|3gp|3g2|ogv|rm|rmvb|mxf|dv|mp3|m4a|aac|wav|flac|ogg|oga|opus|amr|wma|aiff?|ac3)$/i; // prettier-ignore

/** A file that no lecture can come of is refused before its bytes travel. */
export function looksLikeMedia(file: { name: string; type: string }): boolean {
  return /^(video|audio)\//.test(file.type) || MEDIA.test(file.name);
}
