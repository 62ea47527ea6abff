/** Where somebody stopped in the lectures of a list: asked of the server, or of this device. */
import { ref } from "vue";
import { watching } from "@/api/watching";
import { loadPoints } from "@/media/resume";
import { safeStorage } from "./preferences";
import { useSession } from "./session";

interface Place {
  position_s: number;
  is_finished: boolean;
}

export function usePositions() {
  const session = useSession();
  const places = ref(new Map<string, Place>());
  let asked = 0;

  async function look(ids: readonly string[]): Promise<void> {
    const mine = (asked += 1);
    await session.ensure().catch(() => undefined); // Then nobody is signed in.
    if (!session.account) {
      const store = safeStorage();
      places.value = new Map(
        (store ? loadPoints(store) : []).map((one) => [
          one.lecture_id,
          { position_s: one.position_s, is_finished: false },
        ]),
      );
      return;
    }
    try {
      const found = await watching.positions(ids);
      if (mine !== asked) return; // Another page of the list is shown by now.
      places.value = new Map(found.map((one) => [one.lecture_id, one]));
    } catch {
      places.value = new Map(); // The list is whole without the marks.
    }
  }
  return { places, look };
}
