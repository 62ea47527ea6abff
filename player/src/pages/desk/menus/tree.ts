/** Changes of a menu as pure functions: each returns a new menu, and says where things went. */
import type { ItemKind, MenuContent, MenuItem, MenuSection } from "@/api/menus";

export interface Place {
  section: number;
  /** Of an item; -1 is the section itself. */
  item: number;
}

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const ID_CHARS = 12; // 60 random bits: two editors never make the same one.

export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(ID_CHARS));
  return Array.from(bytes, (byte) => ALPHABET[byte % 32]).join("");
}

const OPEN = { note: "", audience: {}, shows_from: null, shows_until: null };

export function newSection(title: string): MenuSection {
  return { id: newId(), title, ...OPEN, items: [] };
}

export function newItem(kind: ItemKind, values: Partial<MenuItem> = {}): MenuItem {
  return {
    id: newId(),
    kind,
    title: "",
    ...OPEN,
    target_id: null,
    url: null,
    is_required: false,
    ...values,
  };
}

export interface Found extends Place {
  node: MenuSection;
  /** Absent where the section itself was asked for. */
  entry?: MenuItem;
}

export function find(menu: MenuContent, id: string): Found | null {
  for (const [section, node] of menu.sections.entries()) {
    if (node.id === id) return { section, item: -1, node };
    const item = node.items.findIndex((entry) => entry.id === id);
    if (item >= 0) return { section, item, node, entry: node.items[item] };
  }
  return null;
}

const mapSections = (menu: MenuContent, change: (section: MenuSection) => MenuSection) => ({
  ...menu,
  sections: menu.sections.map(change),
});

/** Change fields of the menu (id ""), a section or an item. */
export function update(menu: MenuContent, id: string, values: object): MenuContent {
  if (id === "") return { ...menu, ...values };
  return mapSections(menu, (section) =>
    section.id === id
      ? { ...section, ...values }
      : section.items.some((item) => item.id === id)
        ? {
            ...section,
            items: section.items.map((item) => (item.id === id ? { ...item, ...values } : item)),
          }
        : section,
  );
}

export function addSection(menu: MenuContent, section: MenuSection): MenuContent {
  return { ...menu, sections: [...menu.sections, section] };
}

export function addItem(menu: MenuContent, sectionId: string, item: MenuItem): MenuContent {
  return mapSections(menu, (section) =>
    section.id === sectionId ? { ...section, items: [...section.items, item] } : section,
  );
}

export function remove(menu: MenuContent, id: string): MenuContent {
  const sections = menu.sections.filter((section) => section.id !== id);
  return {
    ...menu,
    sections: sections.map((section) =>
      section.items.some((item) => item.id === id)
        ? { ...section, items: section.items.filter((item) => item.id !== id) }
        : section,
    ),
  };
}

function insertAt<T>(list: readonly T[], index: number, entry: T): T[] {
  const place = Math.max(0, Math.min(index, list.length));
  return [...list.slice(0, place), entry, ...list.slice(place)];
}

export function moveSection(menu: MenuContent, id: string, to: number): MenuContent {
  const section = menu.sections.find((entry) => entry.id === id);
  if (!section) return menu;
  const others = menu.sections.filter((entry) => entry.id !== id);
  return { ...menu, sections: insertAt(others, to, section) };
}

/** Put an item at place `to` (counted without it) of a section. */
export function moveItem(
  menu: MenuContent,
  id: string,
  sectionId: string,
  to: number,
): MenuContent {
  const item = find(menu, id)?.entry;
  if (!item || !menu.sections.some((section) => section.id === sectionId)) return menu;
  return mapSections(remove(menu, id), (section) =>
    section.id === sectionId ? { ...section, items: insertAt(section.items, to, item) } : section,
  );
}

/** One step up or down; an item at the edge of its section goes on into the next one. */
export function step(menu: MenuContent, id: string, by: -1 | 1): MenuContent {
  const at = find(menu, id);
  if (!at) return menu;
  if (at.item < 0) {
    const to = at.section + by;
    return to < 0 || to >= menu.sections.length ? menu : moveSection(menu, id, to);
  }
  const section = at.node;
  const to = at.item + by;
  if (to >= 0 && to < section.items.length) return moveItem(menu, id, section.id, to);
  const next = menu.sections[at.section + by];
  return next ? moveItem(menu, id, next.id, by > 0 ? 0 : next.items.length) : menu;
}

export function canStep(menu: MenuContent, id: string, by: -1 | 1): boolean {
  return step(menu, id, by) !== menu;
}
