/** Who is signed in. */
import { defineStore } from "pinia";
import { computed, ref } from "vue";
import { hall } from "@/api/hall";
import { setCsrfToken } from "@/api/http";
import type { Account, Role, Session } from "@/api/types";
import { can, canSomewhere, type Ability } from "./abilities";

export const useSession = defineStore("session", () => {
  const account = ref<Account | null>(null);
  const isKnown = ref(false);
  /** Roles in sub-trees. */
  const scopedRoles = ref<Role[]>([]);
  let first: Promise<void> | null = null;

  function accept(session: Session): void {
    account.value = session.account;
    scopedRoles.value = session.scopes.map((scope) => scope.role);
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
    accept({ ...(await hall.signIn(login, password)), scopes: [] });
    accept(await hall.session());
  }
  async function signOut(): Promise<void> {
    await hall.signOut();
    accept(await hall.session());
  }
  const role = computed(() => account.value?.role ?? null);
  const may = (ability: Ability) =>
    can(role.value, ability) || canSomewhere(scopedRoles.value, ability);
  const mustChoosePassword = computed(() => account.value?.must_change_password ?? false);
  return {
    account,
    isKnown,
    role,
    scopedRoles,
    mustChoosePassword,
    may,
    ensure,
    accept,
    signIn,
    signOut,
  };
});
