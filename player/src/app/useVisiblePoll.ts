/** Ask again and again, but only while somebody looks and while there is something to see. */
import { onScopeDispose } from "vue";

export function useVisiblePoll(
  ask: () => Promise<void>,
  every_ms: number,
  isWorthIt: () => boolean = () => true,
): void {
  let isAsking = false;
  async function tick(): Promise<void> {
    if (isAsking || document.visibilityState !== "visible" || !isWorthIt()) return;
    isAsking = true;
    try {
      await ask();
    } finally {
      isAsking = false;
    }
  }
  const timer = window.setInterval(() => void tick(), every_ms);
  const onVisible = () => void tick();
  document.addEventListener("visibilitychange", onVisible);
  onScopeDispose(() => {
    window.clearInterval(timer);
    document.removeEventListener("visibilitychange", onVisible);
  });
}
