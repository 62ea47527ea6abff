/** Shapes of uploads, jobs and a lecture's material, as docs/contracts.md describes them. */
import type { Job, Lecture, Unit } from "./types";

export interface Page<T> {
  items: T[];
  page: number;
  page_size: number;
  total: number;
}

export type UploadState = "receiving" | "done" | "duplicate" | "refused" | "expired";

export interface Upload {
  id: string;
  filename: string;
  size_bytes: number;
  received_bytes: number;
  state: UploadState;
  reason: string | null;
  lecture_id: string | null;
  duplicate_of: { id: string; title: string } | null;
  created_at: string;
  expires_at: string | null;
}

export interface UploadLimits {
  max_size_bytes: number;
  quota_bytes: number | null;
  used_bytes: number;
  expires_after_s: number;
  extensions: string[];
}

export type Priority = "low" | "normal" | "high";

export interface JobRow extends Omit<Job, "units"> {
  lecture: { id: string; title: string } | null;
  priority: Priority;
  units_count: number;
  done_count: number;
  failed_count: number;
  eta_s: number | null;
}
export type JobDetail = JobRow & {
  units: Unit[];
  /** The plan: a sentence per rung, and what was found out about the file. */
  renditions: Lecture["renditions"];
  notes: string[];
};

/** A dead letter: it was tried as often as it may be. */
export interface FailedUnit {
  id: string;
  job_id: string;
  key: string;
  kind: string;
  lecture: { id: string; title: string };
  attempt: number;
  worker: string | null;
  reason: string | null;
  finished_at: string | null;
}

export interface Attempt {
  number: number;
  worker: string | null;
  started_at: string | null;
  ended_at: string | null;
  outcome: string | null;
  reason: string | null;
}
export type UnitDetail = Unit & { commands: string[]; attempts: Attempt[] };

export interface QueueSummary {
  queues: { name: string; queued: number; running: number; oldest_wait_s: number | null }[];
  workers: {
    name: string;
    seen_at: string;
    unit: { id: string; key: string; lecture_id: string } | null;
    is_draining: boolean;
  }[];
  failed_units: number;
}

export interface Orphans {
  prefixes: { prefix: string; objects_count: number; size_bytes: number; why: string }[];
  token: string;
}

export interface CaptionRef {
  id: string;
  language: string;
  label: string;
  origin: "uploaded" | "embedded" | "automatic";
  is_edited: boolean;
  url: string | null;
}
export interface Cue {
  start_ms: number;
  end_ms: number;
  text: string;
}
export interface Captions {
  id: string;
  language: string;
  label: string;
  version: number;
  cues: Cue[];
}
export interface Chapter {
  start_s: number;
  title: string;
}
export interface Chapters {
  chapters: Chapter[];
  version: number;
  suggestions: (Chapter & { confidence?: number })[];
}
export interface KeptRange {
  start_s: number;
  end_s: number;
}
export type EditState = "none" | "queued" | "running" | "done" | "failed";
/** The uncut lecture, for the editing page. */
export interface UncutMedia {
  hls_url: string;
  waveform_url: string | null;
  storyboard_url: string | null;
  frame_rate: number | null;
}
export interface Edit {
  version: number;
  duration_s: number;
  kept: KeptRange[];
  state: EditState;
  reason: string | null;
  job_id: string | null;
  media?: UncutMedia | null;
}

/** What the material of a lecture adds to it. */
export interface Material {
  captions: CaptionRef[];
  chapters: Chapter[];
  waveform_url: string | null;
  audio_download_url: string | null;
  source: {
    kind: "recording" | "upload";
    filename: string | null;
    size_bytes: number | null;
    notes: string[];
  } | null;
  posters: { name: string; url: string }[];
  is_partial: boolean;
  edit: { state: EditState; version: number } | null;
}
export type LectureWithMaterial = Lecture & Partial<Material>;
