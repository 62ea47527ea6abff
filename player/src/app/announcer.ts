/** Sentences for screen readers and the small notice at the foot of the page. */
import { defineStore } from "pinia";
import { ref } from "vue";

const SHOW_MS = 5_000;

export const useAnnouncer = defineStore("announcer", () => {
  const text = ref("");
  const isVisible = ref(false);
  let timer = 0;

  /** Said politely; shown too, unless `isQuiet`. */
  function say(sentence: string, options: { isQuiet?: boolean } = {}): void {
    window.clearTimeout(timer);
    // The same sentence twice is two messages: a no-break space makes it a change.
    text.value = text.value === sentence ? `${sentence}\u00a0` : sentence;
    isVisible.value = options.isQuiet !== true;
    timer = window.setTimeout(() => {
      isVisible.value = false;
      text.value = "";
    }, SHOW_MS);
  }
  return { text, isVisible, say };
});
