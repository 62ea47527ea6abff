/** A button's work: busy while it runs, its problem in words afterwards. */
import { ref, shallowRef } from "vue";
import { asProblem, type ApiProblem } from "@/api/problem";

export function useAction() {
  const isBusy = ref(false);
  const problem = shallowRef<ApiProblem | null>(null);

  /** True when it worked. A second press while busy does nothing. */
  async function run(work: () => Promise<void>): Promise<boolean> {
    if (isBusy.value) return false;
    isBusy.value = true;
    problem.value = null;
    try {
      await work();
      return true;
    } catch (error) {
      problem.value = asProblem(error);
      return false;
    } finally {
      isBusy.value = false;
    }
  }
  return { isBusy, problem, run };
}
