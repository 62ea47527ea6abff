/** Who is signed in. */
import { defineStore } from "pinia";
import { computed, ref } from "vue";
import { hall } from "@/api/hall";
import { setCsrfToken } from "@/api/http";
import type { Account, Role, Session } from "@/api/types";
import { loadPoints } from "@/media/resume";
import { safeStorage } from "./preferences";
import { can, canSomewhere, cityRole, type Ability } from "./abilities";

/** What was watched on this device before signing in; a failure leaves it here for the next time. */
async function bringPoints(): Promise<void> {
  const store = safeStorage();
  if (!store || loadPoints(store).length === 0) return;
  try {
    await (await import("@/media/pointsToServer")).movePoints(store);
  } catch {
    // What was not moved is still on this device: the next sign-in tries again.
  }
}

export const useSession = defineStore("session", () => {
  const account = ref<Account | null>(null);
  const isKnown = ref(false);
  /** The unit one belongs to. */
  const unit = ref<Session["unit"]>(null);
  /** Roles in sub-trees. */
  const scopes = ref<Session["scopes"]>([]);
  const scopedRoles = computed<Role[]>(() => scopes.value.map((scope) => scope.role));
  let first: Promise<void> | null = null;

  function accept(session: Session): void {
    account.value = session.account;
    unit.value = session.unit;
    scopes.value = session.scopes;
    isKnown.value = true;
    setCsrfToken(session.csrf_token);
  }
  /** Ask the server once; later calls wait for the same answer. */
  function ensure(): Promise<void> {
    first ??= hall.session().then(
      (session) => {
        // Who signed in meanwhile is not forgotten for an older answer.
        if (!isKnown.value) accept(session);
      },
      (error: unknown) => {
        first = null;
        throw error;
      },
    );
    return first;
  }
  async function signIn(login: string, password: string): Promise<void> {
    accept({ ...(await hall.signIn(login, password)), unit: null, scopes: [] });
    accept(await hall.session());
    void bringPoints();
  }
  /** Somebody signed in elsewhere and came back with a new session. */
  async function resume(): Promise<void> {
    accept(await hall.session());
    if (account.value) void bringPoints();
  }
  async function signOut(): Promise<void> {
    await hall.signOut();
    accept(await hall.session());
  }
  const role = computed(() => cityRole(account.value?.role ?? null, scopedRoles.value));
  const may = (ability: Ability) =>
    can(role.value, ability) || canSomewhere(scopedRoles.value, ability);
  /** Whose things one curates; empty for those of the whole city. */
  const curatedUnits = computed(() =>
    can(role.value, "curate") ? [] : scopes.value.filter((scope) => scope.role === "editor"),
  );
  const mustChoosePassword = computed(() => account.value?.must_change_password ?? false);
  return {
    account,
    unit,
    isKnown,
    role,
    scopedRoles,
    curatedUnits,
    mustChoosePassword,
    may,
    ensure,
    accept,
    signIn,
    resume,
    signOut,
  };
});
