/** Which suggestion is the active one, by the keys of WAI-ARIA's editable combobox. Pure. */

export interface ListState {
  isOpen: boolean;
  /** Index of the active suggestion, -1 while the text itself is. */
  active: number;
}

export const CLOSED: ListState = { isOpen: false, active: -1 };

interface KeyLike {
  key: string;
  altKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  isComposing: boolean;
}

/** The state after a key, or null when the key is not ours; composing text keeps its keys. */
export function afterKey(state: ListState, event: KeyLike, count: number): ListState | null {
  if (event.isComposing || event.ctrlKey || event.metaKey) return null;
  switch (event.key) {
    case "ArrowDown":
      if (count === 0) return null;
      if (event.altKey) return { isOpen: true, active: state.active };
      return {
        isOpen: true,
        active: state.isOpen && state.active < count - 1 ? state.active + 1 : state.isOpen ? -1 : 0,
      };
    case "ArrowUp":
      if (count === 0) return null;
      if (event.altKey) return CLOSED;
      return {
        isOpen: true,
        active: state.active < 0 || !state.isOpen ? count - 1 : state.active - 1,
      };
    case "Escape":
      return state.isOpen ? CLOSED : null;
    default:
      return null;
  }
}

/** `/` goes to the search box unless somebody is writing or another key is held with it. */
export function isSlashShortcut(
  event: Pick<KeyboardEvent, "key" | "altKey" | "ctrlKey" | "metaKey" | "isComposing">,
  target: Element | null,
): boolean {
  if (event.key !== "/" || event.altKey || event.ctrlKey || event.metaKey) return false;
  if (event.isComposing || !target) return !event.isComposing;
  return !target.closest("input, textarea, select, [contenteditable], [role=dialog]");
}
