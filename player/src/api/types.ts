/** Shapes of the API, named as the pages name them; generated from docs/openapi.json. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Role = Schemas["Role"];
export type Visibility = Schemas["Visibility"];
export type ClassState = Schemas["ClassState"];
export type LectureState = Schemas["LectureState"];
export type Account = Schemas["Account"];
export type AccountDraft = Schemas["NewAccount"];
export type AccountChange = Schemas["AccountChange"];
export type OwnAccountChange = Schemas["OwnAccountChange"];
export type Session = Schemas["SessionInfo"];
export type LiveClass = Schemas["LiveClass"];
export type LiveClassDraft = Schemas["NewLiveClass"];
export type LiveClassChange = Schemas["LiveClassChange"];
export type PublishAccess = Schemas["PublishInfo"];
export type StreamHealth = Schemas["StreamHealth"];
export type Lecture = Schemas["Lecture"];
export type LectureChange = Schemas["LectureChange"];
export type JobSummary = Schemas["JobSummary"];
export type Series = Schemas["Series"];
export type Home = Schemas["Home"];
export type SiteConfig = Schemas["SiteConfig"];
export type Playback = Schemas["LivePlayback"];

/** One step of a job, as `GET /lectures/{id}/jobs` shows it. */
export interface Unit {
  id: string;
  key: string;
  kind: string;
  state: "waiting" | "queued" | "running" | "done" | "failed" | "cancelled";
  attempt: number;
  worker: string | null;
  progress: number;
  speed: number | null;
  reason: string | null;
  log_tail: string | null;
}

export interface Job extends JobSummary {
  created_at: string;
  units: Unit[];
}
