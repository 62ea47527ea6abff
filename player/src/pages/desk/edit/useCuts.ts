/** The cuts of a lecture while they are edited. */
import { computed, ref, shallowRef } from "vue";
import { complement, keptOf, normalise, totalOf, type Range } from "@/media/cuts";
import { History } from "@/media/history";

export function useCuts() {
  const duration_s = ref(0);
  const cuts = shallowRef<Range[]>([]);
  const pending_s = ref<number | null>(null);
  const steps = ref({ canUndo: false, canRedo: false });
  const isChanged = ref(false);
  let history = new History<Range[]>([]);

  function begin(kept: readonly Range[], length_s: number): void {
    duration_s.value = length_s;
    history = new History(complement(kept, length_s));
    pending_s.value = null;
    show();
    isChanged.value = false;
  }
  function show(): void {
    cuts.value = history.value;
    steps.value = { canUndo: history.canUndo, canRedo: history.canRedo };
    isChanged.value = true;
  }
  function put(next: readonly Range[]): void {
    history.push(normalise(next, duration_s.value));
    show();
  }
  function add(start_s: number, end_s: number): void {
    put([...cuts.value, { start_s, end_s }]);
  }
  function markIn(at_s: number): void {
    pending_s.value = at_s;
  }
  /** False when there is nothing between the two marks. */
  function markOut(at_s: number): boolean {
    const start_s = pending_s.value;
    if (start_s === null || start_s === at_s) return false;
    pending_s.value = null;
    add(start_s, at_s);
    return true;
  }
  function change(index: number, range: Range): void {
    put(cuts.value.map((cut, at) => (at === index ? range : cut)));
  }
  function remove(index: number): void {
    put(cuts.value.filter((_cut, at) => at !== index));
  }
  function undo(): void {
    history.undo();
    show();
  }
  function redo(): void {
    history.redo();
    show();
  }
  const kept = computed(() => keptOf(cuts.value, duration_s.value));
  const kept_s = computed(() => totalOf(kept.value));

  return {
    ...{ duration_s, cuts, pending_s, steps, isChanged, kept, kept_s },
    ...{ begin, add, markIn, markOut, change, remove, undo, redo },
  };
}
