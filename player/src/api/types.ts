/** Shapes of the API, named as the pages name them; generated from docs/openapi.json. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Role = Schemas["Role"];
export type Visibility = Schemas["Visibility"];
export type ClassState = Schemas["ClassState"];
export type LectureState = Schemas["LectureState"];
export type Publication = Schemas["Publication"];
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

export type Job = Schemas["Job"];
export type Unit = Schemas["Unit"];
