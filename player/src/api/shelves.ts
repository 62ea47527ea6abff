/** The shelves of the library: places, films, teachers. */
import { body, client, sendBytes } from "./http";
import type { components } from "./schema";
import type { Publication } from "./types";

type Schemas = components["schemas"];
export type Venue = Schemas["VenueView"];
export type VenueKind = Schemas["VenueKind"];
export type NewVenue = Schemas["NewVenue"];
export type Instructor = Schemas["Instructor"];
export type NewInstructor = Schemas["NewInstructor"];

export const VENUE_KINDS: readonly VenueKind[] = ["talk", "scene", "reading", "walk", "other"];

interface ListQuery {
  q?: string;
  page?: number;
  page_size?: number;
}
const ofVenue = (venue_id: string) => ({ params: { path: { venue_id } } });
const ofInstructor = (instructor_id: string) => ({ params: { path: { instructor_id } } });

export const shelves = {
  venues: (query: ListQuery & { kind?: VenueKind }, signal?: AbortSignal) =>
    body(client.GET("/api/v1/venues", { params: { query }, signal })),
  venue: (id: string, signal?: AbortSignal) =>
    body(client.GET("/api/v1/venues/{venue_id}", { ...ofVenue(id), signal })),
  saveVenue: (id: string | null, wanted: NewVenue) =>
    id === null
      ? body(client.POST("/api/v1/venues", { body: wanted }))
      : body(client.PATCH("/api/v1/venues/{venue_id}", { ...ofVenue(id), body: wanted })),
  deleteVenue: (id: string) => body(client.DELETE("/api/v1/venues/{venue_id}", ofVenue(id))),
  films: (
    query: ListQuery & { category?: string; publication?: Publication },
    signal?: AbortSignal,
  ) => body(client.GET("/api/v1/films", { params: { query }, signal })),
  saveInstructor: (id: string | null, wanted: NewInstructor) =>
    id === null
      ? body(client.POST("/api/v1/instructors", { body: wanted }))
      : body(
          client.PATCH("/api/v1/instructors/{instructor_id}", {
            ...ofInstructor(id),
            body: wanted,
          }),
        ),
  deleteInstructor: (id: string) =>
    body(client.DELETE("/api/v1/instructors/{instructor_id}", ofInstructor(id))),
  sendPortrait: (id: string, file: File) =>
    sendBytes<Instructor>("PUT", `/api/v1/instructors/${encodeURIComponent(id)}/portrait`, {
      bytes: file,
      type: file.type,
    }),
};
