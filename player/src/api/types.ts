/** What the API speaks: the shapes of docs/contracts.md, "Public API". */

export type Role = "member" | "instructor" | "editor" | "unit_admin" | "admin";
export type Visibility = "public" | "members";
export type ClassState = "scheduled" | "live" | "interrupted" | "ended";
export type LectureState = "processing" | "playable" | "ready" | "failed";

export interface Account {
  id: string;
  login: string;
  display_name: string;
  role: Role;
  is_disabled: boolean;
  created_at: string;
}

export interface Session {
  account: Account | null;
  csrf_token: string;
}

export interface Playback {
  hls_url: string;
  audio_url: string | null;
  whep_url?: string | null;
}

export interface StreamHealth {
  protocol: "rtmp" | "whip";
  peer: string;
  uptime_s: number;
  video_bps: number;
  audio_bps: number;
  fps: number;
  width_px: number | null;
  height_px: number | null;
  gop_s: number | null;
  audio_level_dbfs: number | null;
  dropped_count: number;
  warnings: string[];
}

export interface PublishAccess {
  rtmp_url: string;
  stream_key: string;
  whip_url: string;
  whip_token: string;
  ice_servers?: RTCIceServer[];
}

export interface Replay {
  lecture_id: string;
  state: LectureState;
  duration_s: number | null;
  playback: Playback | null;
}

export interface LiveClass {
  id: string;
  title: string;
  description: string;
  state: ClassState;
  visibility: Visibility;
  starts_at: string | null;
  planned_end: string | null;
  started_at: string | null;
  ended_at: string | null;
  series: { id: string; title: string } | null;
  instructor: { id: string; display_name: string } | null;
  viewers: number;
  watch_url: string;
  may_manage: boolean;
  playback: Playback | null;
  recording: { recorded_s: number; stored_s: number } | null;
  health: StreamHealth | null;
  replay: Replay | null;
  poster_url: string | null;
  publish?: PublishAccess;
}

export interface Rendition {
  name: string;
  kind: "video" | "audio";
  width: number | null;
  height: number | null;
  codec: string | null;
  bitrate_bps: number | null;
  state: string;
  reason: string | null;
}

export interface JobSummary {
  id: string;
  kind: string;
  state: string;
  progress: number;
  reason: string | null;
}

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

export interface Lecture {
  id: string;
  title: string;
  description: string;
  state: LectureState;
  visibility: Visibility;
  duration_s: number | null;
  series: { id: string; title: string } | null;
  live_class_id: string | null;
  position: number | null;
  recorded_at: string | null;
  published_at: string | null;
  playback: Playback | null;
  poster_url: string | null;
  storyboard_url: string | null;
  renditions: Rendition[];
  jobs: JobSummary[];
  may_manage: boolean;
}

export interface Series {
  id: string;
  title: string;
  description: string;
  lectures_count: number;
  created_at: string;
}

export interface Page<T> {
  items: T[];
  page: number;
  page_size: number;
  total: number;
}

export interface Home {
  live: LiveClass[];
  upcoming: LiveClass[];
  recent: Lecture[];
}

export interface SiteConfig {
  site_title: string;
  origin: string;
  is_https: boolean;
  whep_enabled: boolean;
  ice_servers: RTCIceServer[];
}

export interface AccountDraft {
  login: string;
  display_name: string;
  role: Role;
  password?: string;
}

export interface LiveClassDraft {
  title: string;
  description?: string;
  visibility: Visibility;
  starts_at?: string | null;
  planned_end?: string | null;
  series_id?: string | null;
}
