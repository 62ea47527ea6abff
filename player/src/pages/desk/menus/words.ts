/** The words of audience rules: categories, levels, and units by name. One load per page. */
import { inject, provide, shallowRef, type InjectionKey, type Ref } from "vue";
import { call } from "@/api/http";
import type { Page } from "@/api/pipeline";

export interface Word {
  key: string;
  name: string;
}
export interface Words {
  categories: Word[];
  levels: Word[];
}
export interface UnitFound {
  id: string;
  full_name: string;
}
const KEY: InjectionKey<Ref<Words>> = Symbol("audience words");

export function provideWords(): Ref<Words> {
  const words = shallowRef<Words>({ categories: [], levels: [] });
  provide(KEY, words);
  call<Words>("GET", "/api/v1/member-lists").then(
    (found) => {
      words.value = found;
    },
    () => undefined, // Without the lists rules keep their keys; the page itself says what failed.
  );
  return words;
}

export function useWords(): Ref<Words> {
  return inject(KEY, () => shallowRef<Words>({ categories: [], levels: [] }), true);
}

export const findUnits = async (q: string, signal?: AbortSignal): Promise<UnitFound[]> =>
  (
    await call<Page<UnitFound>>("GET", "/api/v1/org-units", {
      query: { q, page_size: 10 },
      signal,
    })
  ).items;

export const nameUnit = (id: string): Promise<UnitFound> =>
  call<UnitFound>("GET", `/api/v1/org-units/${id}`);
