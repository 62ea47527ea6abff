/** Shortcuts of the cutting page. Pure. */

export type EditKey =
  | { action: "toggle" | "in" | "out" | "undo" | "redo" | "save" }
  | { action: "frames" | "seconds"; by: number };

interface KeyLike {
  code: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

/** `tag` and `role` are those of the focused element: what it needs itself is left to it. */
export function editKey(event: KeyLike, tag: string, role: string | null): EditKey | null {
  const element = tag.toLowerCase();
  if (["input", "textarea", "select"].includes(element) || event.altKey) return null;
  if (event.ctrlKey || event.metaKey) {
    if (event.code === "KeyZ") return { action: event.shiftKey ? "redo" : "undo" };
    if (event.code === "KeyY") return { action: "redo" };
    return event.code === "KeyS" ? { action: "save" } : null;
  }
  const ownsArrows = element === "media-time-range" || element === "media-volume-range";
  const ownsSpace = ["button", "a", "summary"].includes(element) || role === "button";
  switch (event.code) {
    case "Space":
      return ownsSpace ? null : { action: "toggle" };
    case "KeyI":
      return { action: "in" };
    case "KeyO":
      return { action: "out" };
    case "ArrowLeft":
    case "ArrowRight": {
      if (ownsArrows) return null;
      const by = event.code === "ArrowLeft" ? -1 : 1;
      return { action: event.shiftKey ? "seconds" : "frames", by };
    }
    default:
      return null;
  }
}
