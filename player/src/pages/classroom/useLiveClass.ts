/** The class, asked for as often as its phase needs. */
import { computed, onBeforeUnmount, ref, shallowRef } from "vue";
import { hall } from "@/api/hall";
import { asProblem, type ApiProblem } from "@/api/problem";
import type { LiveClass, Playback } from "@/api/types";
import { phaseOf, pollDelay_ms } from "@/media/classPhase";

const RETRY_MS = 4_000;

export function useLiveClass(classId: string) {
  const liveClass = shallowRef<LiveClass | null>(null);
  const problem = shallowRef<ApiProblem | null>(null);
  const livePlayback = shallowRef<Playback | null>(null);
  const sawEnd = ref(false);
  const isStarving = ref(false);
  const endSeenAt_ms = ref<number | null>(null);
  const now_ms = ref(Date.now());
  let timer = 0;
  let current: AbortController | null = null;

  const phase = computed(() =>
    phaseOf({
      state: liveClass.value?.state ?? "scheduled",
      hasPlayback: liveClass.value?.playback != null,
      hasReplay: liveClass.value?.replay?.playback != null,
      isEnding: liveClass.value?.is_ending ?? false,
      sawEnd: sawEnd.value,
      sinceEnd_ms: endSeenAt_ms.value === null ? null : now_ms.value - endSeenAt_ms.value,
    }),
  );

  async function poll(): Promise<void> {
    window.clearTimeout(timer);
    current?.abort();
    const mine = new AbortController();
    current = mine;
    try {
      accept(await hall.liveClass(classId, mine.signal));
      problem.value = null;
    } catch (error) {
      if (mine.signal.aborted) return;
      problem.value = asProblem(error);
    }
    schedule();
  }

  function accept(fresh: LiveClass): void {
    liveClass.value = fresh;
    now_ms.value = Date.now();
    if (fresh.state !== "ended" && fresh.playback) livePlayback.value = fresh.playback;
    if (fresh.state === "ended") endSeenAt_ms.value ??= Date.now();
    // Reopened: media flows again after the end we saw.
    if (
      fresh.state === "live" &&
      endSeenAt_ms.value !== null &&
      Date.now() - endSeenAt_ms.value > 15_000
    ) {
      sawEnd.value = false;
      endSeenAt_ms.value = null;
    }
  }

  function schedule(): void {
    const starts_at = liveClass.value?.starts_at;
    const delay_ms = problem.value
      ? problem.value.isRetryable
        ? RETRY_MS
        : null
      : pollDelay_ms({
          phase: phase.value,
          isStarving: isStarving.value,
          untilStart_s: starts_at ? (Date.parse(starts_at) - Date.now()) / 1000 : null,
          mayManage: liveClass.value?.may_manage ?? false,
        });
    // +-10 %, so that a hall full of pages does not ask in step.
    if (delay_ms !== null) {
      timer = window.setTimeout(() => void poll(), delay_ms * (0.9 + 0.2 * Math.random()));
    }
  }

  function onEnd(): void {
    sawEnd.value = true;
    endSeenAt_ms.value ??= Date.now();
    void poll();
  }
  function onStarving(value: boolean): void {
    isStarving.value = value;
    if (value) void poll(); // Probably the publisher is gone: find out now.
  }
  function onVisible(): void {
    if (document.visibilityState === "visible") void poll();
  }
  document.addEventListener("visibilitychange", onVisible);
  onBeforeUnmount(() => {
    document.removeEventListener("visibilitychange", onVisible);
    window.clearTimeout(timer);
    current?.abort();
  });
  return { liveClass, livePlayback, problem, phase, poll, onEnd, onStarving };
}
