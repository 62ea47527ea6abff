/** Which parts of the house a role sees. The server decides; this only keeps dead doors out. Pure. */
import type { Role } from "@/api/types";

export type Ability = "teach" | "edit" | "administer";

const ABILITIES: Readonly<Record<Role, readonly Ability[]>> = {
  member: [],
  instructor: ["teach"],
  editor: ["teach", "edit"],
  unit_admin: [],
  admin: ["teach", "edit", "administer"],
};

export function can(role: Role | null, ability: Ability): boolean {
  return role !== null && (ABILITIES[role] ?? []).includes(ability);
}
