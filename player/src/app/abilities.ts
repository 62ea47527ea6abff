/** Which parts of the house a role sees. The server decides; this only keeps dead doors out. Pure. */
import type { Role } from "@/api/types";

/** `organise`: units and members, `curate`: menus, `handle`: orders; by role, or in a sub-tree. */
export type Ability = "teach" | "edit" | "curate" | "handle" | "organise" | "administer";

const ABILITIES: Readonly<Record<Role, readonly Ability[]>> = {
  member: [],
  instructor: ["teach"],
  editor: ["teach", "edit", "curate", "handle"],
  unit_admin: [],
  admin: ["teach", "edit", "curate", "handle", "organise", "administer"],
};

export function can(role: Role | null, ability: Ability): boolean {
  return role !== null && (ABILITIES[role] ?? []).includes(ability);
}

/** What a role in a sub-tree opens; everything else is of the whole city. */
const SCOPED: Readonly<Partial<Record<Role, readonly Ability[]>>> = {
  unit_admin: ["organise", "handle"],
  editor: ["curate", "handle"],
};

/** A role of the whole city; an editor of sub-trees is a member elsewhere, as for the server. */
export function cityRole(role: Role | null, scoped: readonly Role[]): Role | null {
  return role === "editor" && scoped.includes("editor") ? "member" : role;
}

export function canSomewhere(roles: readonly Role[], ability: Ability): boolean {
  return roles.some((role) => (SCOPED[role] ?? []).includes(ability));
}
