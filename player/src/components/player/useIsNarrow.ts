import { onBeforeUnmount, ref } from "vue";

const NARROW = "(max-width: 720px)";

/** A phone held upright, or 200 % zoom on a small screen. */
export function useIsNarrow() {
  const query = window.matchMedia(NARROW);
  const isNarrow = ref(query.matches);
  const update = () => {
    isNarrow.value = query.matches;
  };
  query.addEventListener("change", update);
  onBeforeUnmount(() => {
    query.removeEventListener("change", update);
  });
  return isNarrow;
}
