/** Elder mode and language: from the address once, then remembered on this device. */
import { defineStore } from "pinia";
import { computed, ref } from "vue";

export type Lang = "zh-CN" | "en";

export interface Preferences {
  isElder: boolean;
  lang: Lang;
}

const KEY = "hall.preferences";

/** Total: whatever the store holds. */
export function parsePreferences(text: string | null): Preferences {
  let value: Partial<Record<keyof Preferences, unknown>> = {};
  try {
    value = (JSON.parse(text ?? "{}") ?? {}) as typeof value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return { isElder: value.isElder === true, lang: value.lang === "en" ? "en" : "zh-CN" };
}

/** `?elder=1|0` and `?lang=en|zh` win over what was remembered. */
export function withQuery(saved: Preferences, search: string): Preferences {
  const query = new URLSearchParams(search);
  const elder = query.get("elder");
  const lang = query.get("lang");
  return {
    isElder: elder === null ? saved.isElder : elder === "1" || elder === "true",
    lang: lang === null ? saved.lang : lang.toLowerCase().startsWith("en") ? "en" : "zh-CN",
  };
}

/** A browser may forbid storage; then the choice lasts for this visit. */
export function safeStorage(): Storage | null {
  try {
    return window.localStorage;
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}

export const usePreferences = defineStore("preferences", () => {
  const store = safeStorage();
  const start = withQuery(parsePreferences(store?.getItem(KEY) ?? null), window.location.search);
  const isElder = ref(start.isElder);
  const lang = ref<Lang>(start.lang);
  const all = computed<Preferences>(() => ({ isElder: isElder.value, lang: lang.value }));

  function apply(): void {
    const root = document.documentElement;
    root.classList.toggle("elder", isElder.value);
    root.lang = lang.value;
    try {
      store?.setItem(KEY, JSON.stringify(all.value));
    } catch (error) {
      if (!(error instanceof DOMException)) throw error; // Full or forbidden: not worth a message.
    }
  }
  function setElder(value: boolean): void {
    isElder.value = value;
    apply();
  }
  function setLang(value: Lang): void {
    lang.value = value;
    apply();
  }
  apply();
  return { isElder, lang, setElder, setLang };
});
