/** Keys of the player, the same on every page with one. Pure. */

export type PlayerKey =
  | { action: "toggle" }
  | { action: "seek"; by_s: number }
  | { action: "volume"; by: number }
  | { action: "mute" }
  | { action: "fullscreen" }
  | { action: "captions" }
  | { action: "live" };

interface KeyLike {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

/** `role` and `tag` are those of the focused element: a key that it needs itself is left to it. */
export function playerKey(event: KeyLike, tag: string, role: string | null): PlayerKey | null {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  const element = tag.toLowerCase();
  if (["input", "textarea", "select"].includes(element)) return null;
  const ownsSpace =
    ["button", "a", "summary"].includes(element) ||
    role === "button" ||
    role?.startsWith("menuitem");
  const ownsArrows = role === "slider" || role === "menu" || role?.startsWith("menuitem") === true;
  switch (event.key) {
    case " ":
      return ownsSpace ? null : { action: "toggle" };
    case "k":
      return { action: "toggle" };
    case "ArrowLeft":
      return ownsArrows ? null : { action: "seek", by_s: -10 };
    case "ArrowRight":
      return ownsArrows ? null : { action: "seek", by_s: 10 };
    case "ArrowUp":
      return ownsArrows ? null : { action: "volume", by: 0.1 };
    case "ArrowDown":
      return ownsArrows ? null : { action: "volume", by: -0.1 };
    case "m":
    case "M":
      return { action: "mute" };
    case "f":
    case "F":
      return { action: "fullscreen" };
    case "c":
    case "C":
      return { action: "captions" };
    case "l":
    case "L":
      return { action: "live" };
    default:
      return null;
  }
}
