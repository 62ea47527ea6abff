/** What the timeline is drawn from: loudness, small pictures; both may be missing. */
import { onScopeDispose, shallowRef } from "vue";
import { desk } from "@/api/desk";
import type { UncutMedia } from "@/api/pipeline";
import { asProblem, type ApiProblem } from "@/api/problem";
import { parseStoryboard, parseWaveform, type Tile, type Waveform } from "@/media/storyboard";

export function useTimelineArt() {
  const waveform = shallowRef<Waveform | null>(null);
  const tiles = shallowRef<Tile[]>([]);
  const problem = shallowRef<ApiProblem | null>(null);
  const stop = new AbortController();
  onScopeDispose(() => {
    stop.abort();
  });

  async function load(media: UncutMedia): Promise<void> {
    try {
      if (media.waveform_url) {
        const response = await desk.media(media.waveform_url, stop.signal);
        waveform.value = parseWaveform(await response.json());
      }
      if (media.storyboard_url) {
        const response = await desk.media(media.storyboard_url, stop.signal);
        tiles.value = parseStoryboard(await response.text(), response.url);
      }
      problem.value = null;
    } catch (error) {
      if (!stop.signal.aborted) problem.value = asProblem(error);
    }
  }
  return { waveform, tiles, problem, load };
}
