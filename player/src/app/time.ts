/** Times as people read them: always Asia/Shanghai, whatever the device says. Pure: no clock. */

const ZONE = "Asia/Shanghai";
const SHANGHAI_OFFSET_MS = 8 * 3600_000; // No daylight saving since 1991.
const DAY_MS = 86_400_000;

/** `12:40` or `1:02:03`; negative and broken values are zero. */
export function formatDuration(seconds: number | null | undefined): string {
  const total_s = Math.max(0, Math.floor(Number.isFinite(seconds) ? Number(seconds) : 0));
  const hours = Math.floor(total_s / 3600);
  const minutes = Math.floor(total_s / 60) % 60;
  const rest = String(total_s % 60).padStart(2, "0");
  if (hours === 0) return `${minutes}:${rest}`;
  return `${hours}:${String(minutes).padStart(2, "0")}:${rest}`;
}

/** `15:00` in Shanghai. */
export function formatClock(iso: string, lang: string): string {
  return new Intl.DateTimeFormat(lang, {
    timeZone: ZONE,
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  }).format(new Date(iso));
}

/** `11月23日 星期一`, with the year when it is another one. */
export function formatDay(iso: string, lang: string, now_ms: number): string {
  const date = new Date(iso);
  const isSameYear = shanghaiDay(date.getTime()).slice(0, 4) === shanghaiDay(now_ms).slice(0, 4);
  return new Intl.DateTimeFormat(lang, {
    timeZone: ZONE,
    year: isSameYear ? undefined : "numeric",
    month: "short",
    day: "numeric",
    weekday: "short",
  }).format(date);
}

/** `2026年11月23日 15:00`. */
export function formatDateTime(iso: string, lang: string): string {
  return new Intl.DateTimeFormat(lang, {
    timeZone: ZONE,
    year: "numeric",
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  }).format(new Date(iso));
}

/** Calendar day in Shanghai as `2026-11-23`. */
export function shanghaiDay(at_ms: number): string {
  return new Date(at_ms + SHANGHAI_OFFSET_MS).toISOString().slice(0, 10);
}

/** Whole Shanghai days from now to then: 0 today, 1 tomorrow, -1 yesterday. */
export function daysAway(iso: string, now_ms: number): number {
  const then = Date.parse(shanghaiDay(Date.parse(iso)));
  return Math.round((then - Date.parse(shanghaiDay(now_ms))) / DAY_MS);
}

export interface Countdown {
  isPast: boolean;
  days: number;
  hours: number;
  minutes: number;
  seconds: number;
}

export function countdownTo(iso: string, now_ms: number): Countdown {
  const left_s = Math.ceil((Date.parse(iso) - now_ms) / 1000);
  const rest_s = Math.max(0, left_s);
  return {
    isPast: left_s <= 0,
    days: Math.floor(rest_s / 86_400),
    hours: Math.floor(rest_s / 3600) % 24,
    minutes: Math.floor(rest_s / 60) % 60,
    seconds: rest_s % 60,
  };
}

/** Value of `<input type="datetime-local">`, meant as Shanghai time, as UTC for the API. */
export function shanghaiInputToUtc(value: string): string | null {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?$/.test(value)) return null;
  const at_ms = Date.parse(`${value.length === 16 ? `${value}:00` : value}Z`);
  return Number.isNaN(at_ms) ? null : new Date(at_ms - SHANGHAI_OFFSET_MS).toISOString();
}

export function utcToShanghaiInput(iso: string): string {
  return new Date(Date.parse(iso) + SHANGHAI_OFFSET_MS).toISOString().slice(0, 16);
}
