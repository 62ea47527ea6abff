/** Shapes of uploads, jobs and a lecture's material; generated from docs/openapi.json. */
import type { components } from "./schema";

type Schemas = components["schemas"];

/** A list of the API. */
export interface Page<T> {
  items: T[];
  page: number;
  page_size: number;
  total: number;
}

export type Upload = Schemas["Upload"];
export type UploadLimits = Schemas["UploadLimits"];

export type Priority = Schemas["Priority"];
export type JobRow = Schemas["JobRow"];
export type JobDetail = Schemas["JobDetail"];
/** A rung as planned; the plan says why it is so. */
export type Rendition = Schemas["PlannedRendition"];
export type UnitDetail = Schemas["UnitDetail"];
export type QueueSummary = Schemas["Summary"];
/** A dead letter: it was tried as often as it may be. */
export type FailedUnit = Schemas["FailedUnit"];

export type Orphans = Schemas["OrphanList"];
export type OrphansDeleted = Schemas["OrphansDeleted"];

export type CaptionRef = Schemas["CaptionRef"];
export type Captions = Schemas["Captions"];
export type Cue = Schemas["CueView"];
export type Chapter = Schemas["Chapter"];
export type Chapters = Schemas["Chapters"];
export type KeptRange = Schemas["KeptRange"];
export type Clip = Schemas["Clip"];
export type ClipShape = Schemas["ClipShape"];
export type NewClip = Schemas["NewClip"];
export type Edit = Schemas["Edit"];
export type UncutMedia = Schemas["UncutMedia"];
