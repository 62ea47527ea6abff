/** The course library: forms, teachers, series in order, review and publishing. */
import { body, client } from "./http";
import type { components } from "./schema";

type Schemas = components["schemas"];
export type Instructor = Schemas["Instructor"];
export type Standing = Schemas["Standing"];
export type WantedMove = Schemas["WantedMove"];
export type Move = WantedMove["move"];
export type SeriesOrder = Schemas["SeriesOrder"];
export type SeriesEntry = Schemas["SeriesEntry"];

const ofLecture = (lecture_id: string) => ({ params: { path: { lecture_id } } });
const ofSeries = (series_id: string) => ({ params: { path: { series_id } } });
const ofInstructor = (instructor_id: string) => ({ params: { path: { instructor_id } } });

export const library = {
  forms: (signal?: AbortSignal) => body(client.GET("/api/v1/forms", { signal })),
  instructors: (
    query: { q?: string; page?: number; page_size?: number; orderable?: boolean },
    signal?: AbortSignal,
  ) => body(client.GET("/api/v1/instructors", { params: { query }, signal })),
  instructor: (id: string, signal?: AbortSignal) =>
    body(client.GET("/api/v1/instructors/{instructor_id}", { ...ofInstructor(id), signal })),
  classesOf: (id: string, signal?: AbortSignal) =>
    body(
      client.GET("/api/v1/instructors/{instructor_id}/classes", { ...ofInstructor(id), signal }),
    ),
  order: (id: string, signal?: AbortSignal) =>
    body(client.GET("/api/v1/series/{series_id}/lectures", { ...ofSeries(id), signal })),
  saveOrder: (id: string, version: number, lectures: SeriesEntry[]) =>
    body(
      client.PUT("/api/v1/series/{series_id}/lectures", {
        ...ofSeries(id),
        body: {
          version,
          lectures: lectures.map(({ lecture_id, is_required }) => ({ lecture_id, is_required })),
        },
      }),
    ),
  standing: (id: string, signal?: AbortSignal) =>
    body(client.GET("/api/v1/lectures/{lecture_id}/publication", { ...ofLecture(id), signal })),
  move: (id: string, wanted: WantedMove) =>
    body(
      client.POST("/api/v1/lectures/{lecture_id}/publication", { ...ofLecture(id), body: wanted }),
    ),
  queue: (query: { page?: number }, signal?: AbortSignal) =>
    body(client.GET("/api/v1/review/queue", { params: { query }, signal })),
};
