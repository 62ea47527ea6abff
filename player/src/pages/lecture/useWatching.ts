/** Where somebody is with a lecture: on the server when signed in, else on this device. */
import { onBeforeUnmount, ref } from "vue";
import { watching, type WatchState } from "@/api/watching";
import { safeStorage } from "@/app/preferences";
import { useSession } from "@/app/session";
import { PlayedRanges } from "@/media/played";
import { isWorthResuming, loadPoints, savePoint } from "@/media/resume";

const SAVE_EVERY_MS = 5_000;
const SEND_EVERY_MS = 15_000;

export function useWatching(lecture_id: string, title: () => string) {
  const session = useSession();
  const store = safeStorage();
  const state = ref<WatchState | null>(null);
  const played = new PlayedRanges();
  let savedAt_ms = -Infinity;
  let isSending = false;

  /** The second to go on from, if that is worth it. */
  async function findStart(): Promise<number | null> {
    await session.ensure().catch(() => undefined); // Then nobody is signed in.
    if (session.account) {
      try {
        const found = await watching.state(lecture_id);
        state.value = found;
        return isWorthResuming(found.position_s, found.duration_s) ? found.position_s : null;
      } catch {
        return null; // It plays from the beginning; reports try again.
      }
    }
    const point = store && loadPoints(store).find((one) => one.lecture_id === lecture_id);
    return point && isWorthResuming(point.position_s, point.duration_s) ? point.position_s : null;
  }

  async function send(isLeaving = false): Promise<void> {
    if (!session.account || (isSending && !isLeaving)) return;
    savedAt_ms = performance.now();
    const ranges = played.take();
    const position = played.position_s;
    if (ranges.length === 0 || position === null) return; // Looked at, but not played.
    isSending = true;
    try {
      const answer = await watching.report(lecture_id, { position, ranges }, isLeaving);
      state.value = { ...answer, is_favourite: state.value?.is_favourite ?? answer.is_favourite };
    } catch {
      played.giveBack(ranges); // The link is away for a moment: the next report has it all.
    } finally {
      isSending = false;
    }
  }

  function onPosition(position_s: number, duration_s: number): void {
    if (session.account) {
      played.move(position_s);
      if (performance.now() - savedAt_ms >= SEND_EVERY_MS) void send();
      return;
    }
    if (!store || performance.now() - savedAt_ms < SAVE_EVERY_MS) return;
    savedAt_ms = performance.now();
    savePoint(store, {
      lecture_id,
      title: title(),
      position_s,
      duration_s,
      saved_at: Date.now(),
    });
  }
  /** A paper or a link counts as read once it is open. */
  async function noteOpened(): Promise<void> {
    await session.ensure().catch(() => undefined);
    if (!session.account) return;
    try {
      state.value = await watching.report(lecture_id, { ranges: [] });
    } catch {
      // The next visit notes it.
    }
  }

  const leave = () => {
    void send(true);
  };
  const hide = () => {
    if (document.visibilityState === "hidden") leave();
  };
  document.addEventListener("visibilitychange", hide);
  window.addEventListener("pagehide", leave);
  onBeforeUnmount(() => {
    document.removeEventListener("visibilitychange", hide);
    window.removeEventListener("pagehide", leave);
    leave();
  });
  return { state, findStart, onPosition, noteOpened, send };
}
