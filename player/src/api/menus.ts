/** Menus and recommendations: shapes and calls. */
import { call } from "./http";
import type { Page } from "./pipeline";

export type ItemKind = "lecture" | "series" | "live_class" | "channel" | "link" | "heading";
export type TargetKind = Exclude<ItemKind, "link" | "heading">;

export interface AudienceRule {
  units?: string[];
  categories?: string[];
  levels?: string[];
}
interface Node {
  title: string;
  note: string;
  audience: AudienceRule;
  shows_from: string | null;
  shows_until: string | null;
}
export interface MenuItem extends Node {
  id: string;
  kind: ItemKind;
  target_id: string | null;
  url: string | null;
  is_required: boolean;
}
export interface MenuSection extends Node {
  id: string;
  items: MenuItem[];
}
export interface MenuContent extends Node {
  sections: MenuSection[];
}
export type NodeFields = Node;

export interface UnitRef {
  id: string;
  name: string;
}
export interface ItemShown {
  id: string;
  kind: ItemKind;
  title: string;
  note: string;
  is_required: boolean;
  target_id: string | null;
  url: string | null;
  poster_url: string | null;
  duration_s: number | null;
  lectures_count: number | null;
  starts_at: string | null;
  class_state: string | null;
}
export interface SectionShown {
  id: string;
  title: string;
  note: string;
  items: ItemShown[];
}
export interface MenuShown {
  id: string;
  title: string;
  note: string;
  unit: UnitRef | null;
  number: number | null;
  sections: SectionShown[];
}
export interface MenuSummary {
  id: string;
  title: string;
  note: string;
  unit: UnitRef | null;
  number: number;
  items_count: number;
  sections: { id: string; title: string; items_count: number }[];
}
export interface TargetInfo {
  kind: ItemKind;
  id: string;
  title: string;
  state: string;
  reason: string | null;
}
export interface MenuRow {
  id: string;
  title: string;
  unit: UnitRef | null;
  state: "draft" | "scheduled" | "published" | "withdrawn";
  version: number;
  saved_at: string;
  saved_by: string | null;
  number: number | null;
  next_begins_at: string | null;
  has_changes: boolean;
  position: number;
  broken_count: number;
}
export interface MenuDraft extends MenuRow {
  content: MenuContent;
  targets: TargetInfo[];
  gap: string | null;
}
export interface MergeConflict {
  id: string;
  kind: "field" | "removed" | "place" | "order";
  field: string;
  title: string;
  base: unknown;
  mine: unknown;
  theirs: unknown;
}
export interface MergedDraft {
  version: number;
  content: MenuContent;
  conflicts: MergeConflict[];
  saved_by: string | null;
  saved_at: string;
}
export interface PlaceInMenu {
  section: string;
  place: number;
}
export interface Difference {
  kind: "added" | "removed" | "moved" | "changed";
  node: "menu" | "section" | "item";
  id: string;
  title: string;
  item_kind: ItemKind | null;
  place: PlaceInMenu | null;
  former_place: PlaceInMenu | null;
  fields: { name: string; before: unknown; after: unknown }[];
}
export interface MenuDiff {
  before: number | null;
  after: number | null;
  changes: Difference[];
}
export interface VersionRow {
  number: number;
  state: "current" | "scheduled" | "past";
  begins_at: string;
  published_at: string;
  published_by: string | null;
  note: string;
  restored_from: number | null;
  items_count: number;
}
export interface BrokenLink {
  menu_id: string;
  menu_title: string;
  is_published: boolean;
  section_title: string;
  item_id: string;
  item_title: string;
  reason: string;
}
export interface AudiencePreview {
  members_count: number;
  examples: {
    id: string;
    name: string;
    unit_name: string | null;
    category: string | null;
    level: string | null;
  }[];
}
export type SlotPlace = "home" | "library" | "menus";
export interface Recommendation {
  id: string;
  place: SlotPlace;
  unit: UnitRef | null;
  item: MenuItem;
  title: string;
  position: number;
  version: number;
  state: "waiting" | "active" | "expired" | "broken";
  reason: string | null;
}
/** Whom an editor sees a menu as. */
export interface SeeAs {
  account_id?: string;
  unit_id?: string;
  category?: string;
  level?: string;
  at?: string;
}

const of = (id: string) => `/api/v1/menus/${encodeURIComponent(id)}`;
const slots = "/api/v1/recommendations/entries";

export const menus = {
  list: (signal?: AbortSignal) =>
    call<{ items: MenuSummary[] }>("GET", "/api/v1/menus", { signal }),
  one: (id: string, signal?: AbortSignal) => call<MenuShown>("GET", of(id), { signal }),

  rows: (query: { q?: string; page?: number }, signal?: AbortSignal) =>
    call<Page<MenuRow>>("GET", "/api/v1/menus/drafts", { query, signal }),
  broken: (signal?: AbortSignal) =>
    call<{ items: BrokenLink[] }>("GET", "/api/v1/menus/broken-links", { signal }),
  create: (json: { title: string; unit_id?: string | null }) =>
    call<MenuDraft>("POST", "/api/v1/menus", { json }),
  arrange: (id: string, json: { position?: number; is_withdrawn?: boolean }) =>
    call<MenuDraft>("PATCH", of(id), { json }),
  remove: (id: string) => call<unknown>("DELETE", of(id)),

  draft: (id: string, signal?: AbortSignal) =>
    call<MenuDraft>("GET", `${of(id)}/draft`, { signal }),
  save: (id: string, version: number, content: MenuContent) =>
    call<MenuDraft>("PUT", `${of(id)}/draft`, { json: { version, content } }),
  merge: (id: string, base: MenuContent, mine: MenuContent) =>
    call<MergedDraft>("POST", `${of(id)}/merge`, { json: { base, mine } }),
  publish: (id: string, json: { version: number; begins_at?: string | null; note: string }) =>
    call<MenuDraft>("POST", `${of(id)}/publish`, { json }),
  rollBack: (id: string, number: number) =>
    call<MenuDraft>("POST", `${of(id)}/rollback`, { json: { number } }),
  versions: (id: string, page: number, signal?: AbortSignal) =>
    call<Page<VersionRow>>("GET", `${of(id)}/versions`, {
      query: { page, page_size: 10 },
      signal,
    }),
  diff: (id: string, query: { before?: number; after?: number } = {}, signal?: AbortSignal) =>
    call<MenuDiff>("GET", `${of(id)}/diff`, { query, signal }),
  preview: (id: string, as: SeeAs, signal?: AbortSignal) =>
    call<{ menus: MenuShown[] }>("GET", "/api/v1/menus/preview", {
      query: { menu_id: id, ...as },
      signal,
    }),
  audience: (rule: AudienceRule, signal?: AbortSignal) =>
    call<AudiencePreview>("POST", "/api/v1/audience/preview", { json: { rule }, signal }),

  recommended: (place: SlotPlace, signal?: AbortSignal) =>
    call<{ items: ItemShown[] }>("GET", "/api/v1/recommendations", { query: { place }, signal }),
  slots: (query: { place?: string; page?: number }, signal?: AbortSignal) =>
    call<Page<Recommendation>>("GET", slots, { query, signal }),
  addSlot: (json: {
    place: SlotPlace;
    item: MenuItem;
    position: number;
    unit_id?: string | null;
  }) => call<Recommendation>("POST", slots, { json }),
  saveSlot: (id: string, json: { version: number; item: MenuItem; position: number }) =>
    call<Recommendation>("PUT", `${slots}/${id}`, { json }),
  removeSlot: (id: string) => call<unknown>("DELETE", `${slots}/${id}`),
};
