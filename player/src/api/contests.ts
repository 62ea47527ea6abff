/** The calls of contests 交流评比: the desk, the judges, the exhibition. */
import { body, client } from "./http";
import type { components } from "./schema";

type Schemas = components["schemas"];
export type ContestRow = Schemas["ContestRow"];
export type Contest = Schemas["Contest"];
export type ContestFilm = Schemas["ContestFilm"];
export type NewContest = Schemas["NewContest"];
export type ContestChange = Schemas["ContestChange"];
export type WantedFilm = Schemas["WantedFilm"];
export type Judging = Schemas["Judging"];
export type JudgingFilm = Schemas["JudgingFilm"];

const of = (contest_id: string) => ({ params: { path: { contest_id } } });

export const contests = {
  list: (query: { page?: number }, signal?: AbortSignal) =>
    body(client.GET("/api/v1/contests", { params: { query }, signal })),
  find: (id: string, signal?: AbortSignal) =>
    body(client.GET("/api/v1/contests/{contest_id}", { ...of(id), signal })),
  create: (wanted: NewContest) => body(client.POST("/api/v1/contests", { body: wanted })),
  change: (id: string, change: ContestChange) =>
    body(client.PATCH("/api/v1/contests/{contest_id}", { ...of(id), body: change })),
  remove: (contest_id: string, version: number) =>
    body(
      client.DELETE("/api/v1/contests/{contest_id}", {
        params: { path: { contest_id }, query: { version } },
      }),
    ),
  setFilms: (id: string, version: number, films: WantedFilm[]) =>
    body(
      client.PUT("/api/v1/contests/{contest_id}/films", { ...of(id), body: { version, films } }),
    ),
  setJudges: (id: string, version: number, logins: string[]) =>
    body(
      client.PUT("/api/v1/contests/{contest_id}/judges", { ...of(id), body: { version, logins } }),
    ),
  open: (id: string, version: number) =>
    body(client.POST("/api/v1/contests/{contest_id}/open", { ...of(id), body: { version } })),
  close: (id: string, version: number, accepts_missing: boolean) =>
    body(
      client.POST("/api/v1/contests/{contest_id}/close", {
        ...of(id),
        body: { version, accepts_missing },
      }),
    ),
  sheets: (id: string, signal?: AbortSignal) =>
    body(client.GET("/api/v1/contests/{contest_id}/sheets", { ...of(id), signal })),
  findFilms: (q: string) =>
    body(client.GET("/api/v1/films", { params: { query: { q, page_size: 8 } } })),

  judgingList: (signal?: AbortSignal) => body(client.GET("/api/v1/judging", { signal })),
  judging: (id: string, signal?: AbortSignal) =>
    body(client.GET("/api/v1/judging/{contest_id}", { ...of(id), signal })),
  score: (contest_id: string, contest_film_id: string, points: Record<string, number>) =>
    body(
      client.PUT("/api/v1/judging/{contest_id}/films/{contest_film_id}", {
        params: { path: { contest_id, contest_film_id } },
        body: { points },
      }),
    ),
};
