/** Units and members: shapes and calls. */
import { call, sendBytes } from "./http";
import type { Page } from "./pipeline";
import type { Role } from "./types";

export const UNIT_KINDS = ["city", "banner", "committee", "branch", "other"] as const;
export type UnitKind = (typeof UNIT_KINDS)[number];

export interface OrgUnit {
  id: string;
  parent_id: string | null;
  name: string;
  full_name: string;
  kind: UnitKind;
  position: number;
  children_count: number;
  members_count: number;
  own_members_count: number;
  may_change: boolean;
  may_add: boolean;
}
export interface UnitRef {
  id: string;
  name: string;
  full_name: string;
}
export interface Member {
  id: string;
  display_name: string;
  staff_no: string | null;
  phone: string | null;
  unit: UnitRef | null;
  category: string | null;
  level: string | null;
  role: Role;
  is_disabled: boolean;
  is_activated: boolean;
  may_change: boolean;
}
export interface MemberDetail extends Member {
  login: string;
  created_at: string;
  scopes: { role: Role; unit: UnitRef }[];
  may_grant: boolean;
}
export interface OneTimeCode {
  login: string;
  code: string;
  expires_at: string;
}
export interface ListEntry {
  key: string;
  name: string;
  members_count: number;
}
export interface MemberLists {
  categories: ListEntry[];
  levels: ListEntry[];
}
export type MemberBody = Partial<{
  display_name: string;
  unit_id: string | null;
  staff_no: string | null;
  phone: string | null;
  category: string | null;
  level: string | null;
  is_disabled: boolean;
}>;
export interface MemberQuery {
  [name: string]: string | number | undefined;
  unit_id?: string;
  q?: string;
  category?: string;
  level?: string;
  state?: string;
  page?: number;
}
export type ImportState =
  "uploaded" | "checking" | "checked" | "confirmed" | "applying" | "done" | "failed" | "cancelled";
export interface RosterImport {
  id: string;
  filename: string;
  size_bytes: number;
  state: ImportState;
  rows_count: number | null;
  rows_done: number;
  counts: { inserted: number; updated: number; unchanged: number; failed: number };
  reason: string | null;
  created_at: string;
  finished_at: string | null;
}
export interface RosterError {
  row: number;
  column: string;
  sentence: string;
}

const API = "/api/v1";
const BRANCHES = 100;

export const people = {
  units: (parent: string | null, page: number, signal?: AbortSignal) =>
    call<Page<OrgUnit>>("GET", `${API}/org-units`, {
      query: { parent_id: parent ?? undefined, page, page_size: BRANCHES },
      signal,
    }),
  findUnits: (q: string, signal?: AbortSignal) =>
    call<Page<OrgUnit>>("GET", `${API}/org-units`, { query: { q, page_size: 20 }, signal }),
  unit: (id: string) => call<OrgUnit>("GET", `${API}/org-units/${id}`),
  addUnit: (json: { parent_id: string | null; name: string; kind: UnitKind }) =>
    call<OrgUnit>("POST", `${API}/org-units`, { json }),
  changeUnit: (
    id: string,
    json: Partial<{ name: string; kind: UnitKind; parent_id: string | null; position: number }>,
  ) => call<OrgUnit>("PATCH", `${API}/org-units/${id}`, { json }),
  deleteUnit: (id: string) => call<null>("DELETE", `${API}/org-units/${id}`),

  members: (query: MemberQuery, signal: AbortSignal) =>
    call<Page<Member>>("GET", `${API}/members`, { query, signal }),
  member: (id: string, signal: AbortSignal) =>
    call<MemberDetail>("GET", `${API}/members/${id}`, { signal }),
  addMember: (json: MemberBody) =>
    call<MemberDetail & { code: OneTimeCode }>("POST", `${API}/members`, { json }),
  changeMember: (id: string, json: MemberBody) =>
    call<MemberDetail>("PATCH", `${API}/members/${id}`, { json }),
  resetMember: (id: string) => call<OneTimeCode>("POST", `${API}/members/${id}/reset`),
  setScopes: (id: string, scopes: { role: Role; unit_id: string }[]) =>
    call<MemberDetail>("PUT", `${API}/members/${id}/scopes`, { json: { scopes } }),
  lists: (signal?: AbortSignal) => call<MemberLists>("GET", `${API}/member-lists`, { signal }),
  setList: (which: "categories" | "levels", items: { key?: string; name: string }[]) =>
    call<MemberLists>("PUT", `${API}/member-lists/${which}`, { json: { items } }),

  imports: (page: number, signal: AbortSignal) =>
    call<Page<RosterImport>>("GET", `${API}/roster-imports`, { query: { page }, signal }),
  import: (id: string) => call<RosterImport>("GET", `${API}/roster-imports/${id}`),
  upload: (file: File) =>
    sendBytes<RosterImport>("POST", `${API}/roster-imports`, {
      query: { filename: file.name },
      bytes: file,
      type: "application/octet-stream",
    }),
  confirm: (id: string) => call<RosterImport>("POST", `${API}/roster-imports/${id}/confirm`),
  cancel: (id: string) => call<null>("DELETE", `${API}/roster-imports/${id}`),
  errors: (id: string, page: number, signal: AbortSignal) =>
    call<Page<RosterError>>("GET", `${API}/roster-imports/${id}/errors`, {
      query: { page },
      signal,
    }),
  templateUrl: `${API}/roster/template`,
  exportUrl(query: MemberQuery): string {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined && value !== "" && name !== "page") search.set(name, String(value));
    }
    return `${API}/roster?${search.toString()}`;
  },
};
