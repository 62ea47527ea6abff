/** What a member watched and keeps at hand: shapes and calls. */
import { call } from "./http";
import type { Lecture } from "./types";

interface Page<T> {
  items: T[];
  page: number;
  page_size: number;
  total: number;
}
export interface Watched {
  lecture: Lecture;
  position_s: number;
  watched_s: number;
  finished_at: string | null;
  updated_at: string | null;
}
export type WatchedPage = Page<Watched>;
export interface RequiredPage extends WatchedPage {
  finished_count: number;
  required_count: number;
}
export interface WatchState {
  lecture_id: string;
  position_s: number;
  duration_s: number;
  watched_s: number;
  finished_at: string | null;
  updated_at: string | null;
  is_favourite: boolean;
}
export interface Position {
  lecture_id: string;
  position_s: number;
  is_finished: boolean;
}
export interface Episode extends Position {
  title: string;
  is_required: boolean;
}
export interface SeriesProgress {
  lectures_count: number;
  finished_count: number;
  required_count: number;
  required_finished_count: number;
  episodes: Episode[];
  next: Episode | null;
}
export interface WatchReport {
  position?: number;
  ranges: [number, number][];
}
interface Query {
  page?: number;
  page_size?: number;
}

const ROOT = "/api/v1/watching";
const LIKED = "/api/v1/favourites";

export const watching = {
  list: (state: "unfinished" | "finished", query: Query, signal?: AbortSignal) =>
    call<WatchedPage>("GET", ROOT, { query: { ...query, state }, signal }),
  required: (query: Query, signal?: AbortSignal) =>
    call<RequiredPage>("GET", `${ROOT}/required`, { query: { ...query }, signal }),
  favourites: (query: Query, signal?: AbortSignal) =>
    call<WatchedPage>("GET", LIKED, { query: { ...query }, signal }),
  series: (id: string, signal?: AbortSignal) =>
    call<SeriesProgress>("GET", `${ROOT}/series/${id}`, { signal }),
  positions: async (ids: readonly string[], signal?: AbortSignal): Promise<Position[]> => {
    if (ids.length === 0) return [];
    const query = { ids: ids.join(",") };
    return (await call<{ items: Position[] }>("GET", `${ROOT}/positions`, { query, signal })).items;
  },
  state: (id: string, signal?: AbortSignal) => call<WatchState>("GET", `${ROOT}/${id}`, { signal }),
  /** `keepalive`: the browser finishes it although the page is leaving. */
  report: (id: string, json: WatchReport, keepalive = false) =>
    call<WatchState>("PUT", `${ROOT}/${id}`, { json, keepalive }),
  forget: (id: string) => call<null>("DELETE", `${ROOT}/${id}`),
  forgetAll: () => call<null>("DELETE", ROOT),
  like: (id: string) => call<null>("PUT", `${LIKED}/${id}`),
  unlike: (id: string) => call<null>("DELETE", `${LIKED}/${id}`),
};
