/** What the editors' pages play: the uncut lecture, so that times are those that are edited. */
import { computed, shallowRef, watch, type Ref } from "vue";
import { desk } from "@/api/desk";
import type { Edit } from "@/api/pipeline";
import type { Lecture } from "@/api/types";
import { asProblem, type ApiProblem } from "@/api/problem";
import type { PlayerSource } from "@/components/player/usePlayer";

export function useUncutPlayback(id: string, lecture: Ref<Lecture | null>) {
  const edit = shallowRef<Edit | null>(null);
  const isKnown = shallowRef(false);
  const problem = shallowRef<ApiProblem | null>(null);

  /** Without it (an older set, no right to cut) the lecture as it plays will do. */
  async function loadEdit(): Promise<void> {
    try {
      edit.value = await desk.edit(id);
      problem.value = null;
    } catch (error) {
      problem.value = asProblem(error);
    }
    isKnown.value = true;
  }
  const url = computed(() => {
    if (!isKnown.value || !lecture.value?.playback) return null;
    return edit.value?.media?.hls_url ?? lecture.value.playback.hls_url;
  });
  const first = shallowRef<string | null>(null);
  // A new asset does not interrupt the editor: it plays at the next visit.
  watch(url, (found) => {
    first.value ??= found;
  });
  const playback = computed<PlayerSource | null>(() =>
    first.value === null
      ? null
      : {
          hls_url: first.value,
          audio_url: null,
          whep_url: null,
          isLive: false,
          start_s: null,
          iceServers: [],
        },
  );
  return { playback, edit, editProblem: problem, loadEdit };
}
