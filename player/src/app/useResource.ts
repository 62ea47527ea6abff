/** Something a page loads: value, problem, loading; old answers never overwrite newer ones. */
import { onScopeDispose, ref, shallowRef, type Ref } from "vue";
import { asProblem, type ApiProblem } from "@/api/problem";

export interface Resource<T> {
  data: Ref<T | null>;
  problem: Ref<ApiProblem | null>;
  isLoading: Ref<boolean>;
  reload: () => Promise<void>;
}

export function useResource<T>(load: (signal: AbortSignal) => Promise<T>): Resource<T> {
  const data = shallowRef<T | null>(null);
  const problem = shallowRef<ApiProblem | null>(null);
  const isLoading = ref(false);
  let current: AbortController | null = null;

  async function reload(): Promise<void> {
    current?.abort();
    const mine = new AbortController();
    current = mine;
    isLoading.value = true;
    try {
      const value = await load(mine.signal);
      if (current !== mine) return;
      data.value = value;
      problem.value = null;
    } catch (error) {
      if (mine.signal.aborted || current !== mine) return;
      problem.value = asProblem(error);
    } finally {
      if (current === mine) isLoading.value = false;
    }
  }
  onScopeDispose(() => {
    current?.abort();
    current = null;
  });
  return { data, problem, isLoading, reload };
}
