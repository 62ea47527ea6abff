import { computed } from "vue";
import { useRoute, useRouter } from "vue-router";

type Query = Record<string, string | number | undefined>;

/** What a list of the desk shows, kept in the address: words, page, and one of a set per filter. */
export function useListQuery() {
  const route = useRoute();
  const router = useRouter();
  const text = (name: string) => {
    const value = route.query[name];
    return typeof value === "string" ? value : "";
  };
  return {
    q: computed(() => text("q")),
    page: computed(() => Math.max(1, Number(text("page")) || 1)),
    /** The chosen one of `values`; what the address makes up is none. */
    choice: <Value extends string>(name: string, values: readonly Value[]) =>
      computed(() => values.find((value) => value === text(name))),
    /** Change what is shown; everything but turning pages goes back to the first one. */
    show: (query: Query) =>
      void router.push({ query: { ...route.query, page: undefined, ...query } }),
  };
}
