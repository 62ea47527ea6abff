/** The calls of channels: what is on, the timetable, and the editors' grid. */
import { body, client } from "./http";
import type { components } from "./schema";

export type Channel = components["schemas"]["Channel"];
export type Airing = components["schemas"]["Airing"];
export type Programme = components["schemas"]["Programme"];
export type NewChannel = components["schemas"]["NewChannel"];
export type ChannelChange = components["schemas"]["ChannelChange"];
export type NewProgramme = components["schemas"]["NewProgramme"];
export type ProgrammeChange = components["schemas"]["ProgrammeChange"];

const of = (channel_id: string) => ({ params: { path: { channel_id } } });
const ofProgramme = (channel_id: string, programme_id: string) => ({
  params: { path: { channel_id, programme_id } },
});

export const channels = {
  list: (signal?: AbortSignal) => body(client.GET("/api/v1/channels", { signal })),
  today: (signal?: AbortSignal) => body(client.GET("/api/v1/airings", { signal })),
  find: (id: string, signal?: AbortSignal) =>
    body(client.GET("/api/v1/channels/{channel_id}", { ...of(id), signal })),
  create: (wanted: NewChannel) => body(client.POST("/api/v1/channels", { body: wanted })),
  change: (id: string, change: ChannelChange) =>
    body(client.PATCH("/api/v1/channels/{channel_id}", { ...of(id), body: change })),
  removeChannel: (id: string) => body(client.DELETE("/api/v1/channels/{channel_id}", of(id))),
  epg: (channel_id: string, query: { since?: string; before?: string }, signal?: AbortSignal) =>
    body(
      client.GET("/api/v1/channels/{channel_id}/epg", {
        params: { path: { channel_id }, query },
        signal,
      }),
    ),
  programmes: (id: string, signal?: AbortSignal) =>
    body(client.GET("/api/v1/channels/{channel_id}/programmes", { ...of(id), signal })),
  add: (id: string, wanted: NewProgramme) =>
    body(client.POST("/api/v1/channels/{channel_id}/programmes", { ...of(id), body: wanted })),
  move: (id: string, programme_id: string, change: ProgrammeChange) =>
    body(
      client.PATCH("/api/v1/channels/{channel_id}/programmes/{programme_id}", {
        ...ofProgramme(id, programme_id),
        body: change,
      }),
    ),
  remove: (id: string, programme_id: string) =>
    body(
      client.DELETE(
        "/api/v1/channels/{channel_id}/programmes/{programme_id}",
        ofProgramme(id, programme_id),
      ),
    ),
};
