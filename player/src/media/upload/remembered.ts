/** Uploads that were under way when the page went, on this device. */

export interface Remembered {
  key: string;
  name: string;
  size: number;
  lastModified: number | null;
  title: string;
  seriesId: string;
  visibility: "public" | "members";
  /** The lecture whose file this one replaces, else "". */
  replaces: string;
  /** Address of the upload at the server, once it exists. */
  url: string | null;
}

const KEY = "hall.uploads";
const MAX_REMEMBERED = 100; // A folder of a whole series; caps the store at about 40 kB.

/** Total: anything in the store that is not such a list is an empty list. */
export function parseRemembered(text: string | null): Remembered[] {
  try {
    const value: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(value) ? value.filter(isRemembered).slice(0, MAX_REMEMBERED) : [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

function isRemembered(value: unknown): value is Remembered {
  const item = value as Partial<Remembered> | null;
  return (
    typeof item?.key === "string" &&
    typeof item.name === "string" &&
    typeof item.size === "number" &&
    Number.isFinite(item.size) &&
    (item.lastModified === null || Number.isFinite(item.lastModified)) &&
    typeof item.title === "string" &&
    typeof item.seriesId === "string" &&
    typeof item.replaces === "string" &&
    (item.visibility === "public" || item.visibility === "members") &&
    (item.url === null || typeof item.url === "string")
  );
}

export function loadRemembered(store: Storage | null): Remembered[] {
  return parseRemembered(store?.getItem(KEY) ?? null);
}

/** A full or forbidden store only costs the convenience. */
export function saveRemembered(store: Storage | null, items: readonly Remembered[]): void {
  try {
    store?.setItem(KEY, JSON.stringify(items.slice(0, MAX_REMEMBERED)));
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}
