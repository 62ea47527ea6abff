/** The calls of notices 组工动态: what members read, and the editors' desk. */
import { body, client } from "./http";
import type { components } from "./schema";

type Schemas = components["schemas"];
export type Notice = Schemas["Notice"];
export type NoticeRow = Schemas["NoticeRow"];
export type NewNotice = Schemas["NewNotice"];
export type NoticeChange = Schemas["NoticeChange"];
export type NoticePublication = Schemas["NoticePublication"];
export type Section = NoticeRow["section"];
export type NoticeStanding = NoticeRow["standing"];

export const SECTIONS: readonly Section[] = ["work", "branches", "courses", "announcements"];
export const STANDINGS: readonly NoticeStanding[] = [
  "draft",
  "scheduled",
  "published",
  "withdrawn",
];

const of = (notice_id: string) => ({ params: { path: { notice_id } } });

export const notices = {
  list: (
    query: { q?: string; section?: Section; page?: number; page_size?: number },
    signal?: AbortSignal,
  ) => body(client.GET("/api/v1/notices", { params: { query }, signal })),
  find: (id: string, signal?: AbortSignal) =>
    body(client.GET("/api/v1/notices/{notice_id}", { ...of(id), signal })),
  drafts: (query: { q?: string; standing?: NoticeStanding; page?: number }, signal?: AbortSignal) =>
    body(client.GET("/api/v1/notices/drafts", { params: { query }, signal })),
  create: (wanted: NewNotice) => body(client.POST("/api/v1/notices", { body: wanted })),
  change: (id: string, change: NoticeChange) =>
    body(client.PATCH("/api/v1/notices/{notice_id}", { ...of(id), body: change })),
  publish: (id: string, wanted: NoticePublication) =>
    body(client.POST("/api/v1/notices/{notice_id}/publish", { ...of(id), body: wanted })),
  withdraw: (id: string, version: number) =>
    body(client.POST("/api/v1/notices/{notice_id}/withdraw", { ...of(id), body: { version } })),
  remove: (notice_id: string, version: number) =>
    body(
      client.DELETE("/api/v1/notices/{notice_id}", {
        params: { path: { notice_id }, query: { version } },
      }),
    ),
};
