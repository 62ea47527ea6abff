/** The time, refreshed every second while a component lives. */
import { onScopeDispose, ref } from "vue";

export function useNow(every_ms = 1000) {
  const now_ms = ref(Date.now());
  const timer = window.setInterval(() => {
    now_ms.value = Date.now();
  }, every_ms);
  onScopeDispose(() => {
    window.clearInterval(timer);
  });
  return now_ms;
}
