/** Every text of the player, zh-CN first. */
import { createI18n } from "vue-i18n";
import type { Lang } from "./preferences";
import { en } from "./locales/en";
import { zhCN } from "./locales/zh-CN";

export function createTexts(lang: Lang) {
  return createI18n({
    legacy: false,
    locale: lang,
    fallbackLocale: "zh-CN",
    messages: { "zh-CN": zhCN, en },
  });
}
