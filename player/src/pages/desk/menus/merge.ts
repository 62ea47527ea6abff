/** A merged menu with a choice for each contradiction. Pure. */
import type { MenuContent, MergeConflict } from "@/api/menus";
import { moveItem, remove, update } from "./tree";

export type Side = "mine" | "theirs";

/** Mine is in the merged menu already; theirs is put in where it was chosen. */
export function choose(
  merged: MenuContent,
  conflicts: readonly MergeConflict[],
  sides: readonly Side[],
): MenuContent {
  return conflicts.reduce((menu, conflict, index) => take(menu, conflict, sides[index]), merged);
}

function take(menu: MenuContent, conflict: MergeConflict, side: Side | undefined): MenuContent {
  const { id, kind, field } = conflict;
  // "removed": it is still there; whoever removed it wins if chosen.
  if (kind === "removed") return side === field ? remove(menu, id) : menu;
  if (side !== "theirs") return menu;
  if (kind === "field") return update(menu, id, { [field]: conflict.theirs });
  if (kind === "place") {
    const section = menu.sections.find((entry) => entry.id === conflict.theirs);
    return section ? moveItem(menu, id, section.id, section.items.length) : menu;
  }
  return arrange(menu, id, conflict.theirs as string[]);
}

/** Put the children of a node into an order; what the order does not name stays behind. */
function arrange(menu: MenuContent, id: string, order: readonly string[]): MenuContent {
  const sort = <T extends { id: string }>(nodes: readonly T[]): T[] => {
    const place = (node: T) => {
      const index = order.indexOf(node.id);
      return index < 0 ? order.length : index;
    };
    return [...nodes].sort((left, right) => place(left) - place(right));
  };
  if (id === "") return { ...menu, sections: sort(menu.sections) };
  const section = menu.sections.find((entry) => entry.id === id);
  return section ? update(menu, id, { items: sort(section.items) }) : menu;
}
