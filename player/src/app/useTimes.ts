/** Times in the page's language. */
import { useI18n } from "vue-i18n";
import { daysAway, formatClock, formatDateTime, formatDay } from "./time";

export function useTimes() {
  const { locale, t } = useI18n();
  return {
    clock: (iso: string) => formatClock(iso, locale.value),
    dateTime: (iso: string) => formatDateTime(iso, locale.value),
    /** 今天 / 明天 / 11月23日 周一 */
    day(iso: string): string {
      const away = daysAway(iso, Date.now());
      if (away === 0) return t("time.today");
      if (away === 1) return t("time.tomorrow");
      if (away === -1) return t("time.yesterday");
      return formatDay(iso, locale.value, Date.now());
    },
  };
}
