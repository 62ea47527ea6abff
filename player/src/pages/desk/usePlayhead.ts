/** Where the player is, at the speed of the screen while it plays. */
import { onScopeDispose, ref } from "vue";

interface Playing {
  position: () => number;
  isPaused: () => boolean;
}

export function usePlayhead(player: () => Playing | null, onTick?: (at_s: number) => void) {
  const at_s = ref(0);
  const isPlaying = ref(false);
  let frame = 0;

  function tick(): void {
    const playing = player();
    if (playing) {
      const now_s = playing.position();
      if (now_s !== at_s.value) at_s.value = now_s;
      isPlaying.value = !playing.isPaused();
      if (isPlaying.value) onTick?.(now_s);
    }
    frame = window.requestAnimationFrame(tick);
  }
  frame = window.requestAnimationFrame(tick);
  onScopeDispose(() => {
    window.cancelAnimationFrame(frame);
  });
  return { at_s, isPlaying };
}
