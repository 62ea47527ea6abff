/** Shortcuts of the caption editor; they work inside the text fields, too. Pure. */

export type CueKey =
  | "undo"
  | "redo"
  | "save"
  | "split"
  | "merge"
  | "insert"
  | "remove"
  | "play"
  | "previous"
  | "next"
  | "start"
  | "end";

interface KeyLike {
  code: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

const WITH_ALT: Readonly<Record<string, CueKey>> = {
  Enter: "play",
  ArrowUp: "previous",
  ArrowDown: "next",
  KeyM: "merge",
  KeyN: "insert",
  Backspace: "remove",
  BracketLeft: "start",
  BracketRight: "end",
};

export function cueKey(event: KeyLike): CueKey | null {
  const hasCtrl = event.ctrlKey || event.metaKey;
  if (event.altKey && !hasCtrl) return WITH_ALT[event.code] ?? null;
  if (!hasCtrl || event.altKey) return null;
  if (event.code === "KeyZ") return event.shiftKey ? "redo" : "undo";
  if (event.code === "KeyY") return "redo";
  if (event.code === "KeyS") return "save";
  return event.code === "Enter" ? "split" : null;
}
