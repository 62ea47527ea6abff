/** Items of the main navigation for a role. Pure. */
import { can, canSomewhere } from "./abilities";
import type { Role } from "@/api/types";

export interface NavItem {
  section: string;
  to: string;
  label: string;
}

const PUBLIC: readonly NavItem[] = [
  { section: "home", to: "/", label: "nav.home" },
  { section: "live", to: "/live", label: "nav.live" },
  { section: "library", to: "/lectures", label: "nav.library" },
  { section: "series", to: "/series", label: "nav.series" },
  { section: "channels", to: "/channels", label: "channels.title" },
];

/** `scoped`: roles in sub-trees. */
export function workItems(role: Role | null, scoped: readonly Role[] = []): NavItem[] {
  const items: NavItem[] = [];
  if (can(role, "teach")) items.push({ section: "studio", to: "/studio", label: "nav.studio" });
  if (can(role, "edit")) items.push({ section: "desk", to: "/desk", label: "nav.desk" });
  else if (canSomewhere(scoped, "curate"))
    items.push({ section: "desk", to: "/desk/menus", label: "nav.desk" });
  else if (canSomewhere(scoped, "handle"))
    items.push({ section: "desk", to: "/desk/orders", label: "orderDesk.title" });
  else if (can(role, "teach"))
    items.push({ section: "desk", to: "/desk/uploads", label: "uploads.title" });
  if (can(role, "administer"))
    items.push({ section: "admin", to: "/admin/accounts", label: "nav.admin" });
  else if (canSomewhere(scoped, "organise"))
    items.push({ section: "admin", to: "/admin/units", label: "org.title" });
  return items;
}

const OWN: readonly NavItem[] = [
  { section: "menus", to: "/menus", label: "menus.title" },
  { section: "orders", to: "/orders", label: "orders.nav" },
];

export function mainItems(role: Role | null, scoped: readonly Role[] = []): NavItem[] {
  const work = workItems(role, scoped);
  // Whoever has a desk finds orders there; the bar holds one line.
  const own = OWN.filter((item) => work.length === 0 || item.section !== "orders");
  return [...PUBLIC, ...(role === null ? [] : own), ...work];
}

/** Four thumbs wide on a phone; the rest is reached from 我的. */
export function tabItems(isSignedIn: boolean): NavItem[] {
  return [
    ...PUBLIC.slice(0, 3),
    { section: "account", to: isSignedIn ? "/account" : "/signin", label: "nav.mine" },
  ];
}
