/** The calls of the editors' pages: uploads, jobs, material of a lecture, editing. */
import { call, fetchMedia, sendBytes } from "./http";
import type {
  Captions,
  CaptionRef,
  Chapters,
  Clip,
  Cue,
  Edit,
  FailedUnit,
  JobDetail,
  JobRow,
  KeptRange,
  NewClip,
  Orphans,
  OrphansDeleted,
  Page,
  Priority,
  QueueSummary,
  UnitDetail,
  Upload,
  UploadLimits,
} from "./pipeline";
import type { Lecture } from "./types";

type Query = Record<string, string | number | undefined>;
const of = (lectureId: string) => `/api/v1/lectures/${encodeURIComponent(lectureId)}`;
const ofCaptions = (lectureId: string, captionsId: string) =>
  `${of(lectureId)}/captions/${encodeURIComponent(captionsId)}`;

export const desk = {
  uploads: (query: Query, signal?: AbortSignal) =>
    call<Page<Upload>>("GET", "/api/v1/uploads", { query, signal }),
  upload: (id: string, signal?: AbortSignal) =>
    call<Upload>("GET", `/api/v1/uploads/${id}`, { signal }),
  uploadLimits: (signal?: AbortSignal) =>
    call<UploadLimits>("GET", "/api/v1/uploads/limits", { signal }),

  jobs: (query: Query, signal?: AbortSignal) =>
    call<Page<JobRow>>("GET", "/api/v1/jobs", { query, signal }),
  job: (id: string, signal?: AbortSignal) =>
    call<JobDetail>("GET", `/api/v1/jobs/${id}`, { signal }),
  cancelJob: (id: string) => call<JobRow>("POST", `/api/v1/jobs/${id}/cancel`),
  retryJob: (id: string) => call<JobRow>("POST", `/api/v1/jobs/${id}/retry`),
  setPriority: (id: string, priority: Priority) =>
    call<JobRow>("PATCH", `/api/v1/jobs/${id}`, { json: { priority } }),
  unit: (id: string, signal?: AbortSignal) =>
    call<UnitDetail>("GET", `/api/v1/units/${id}`, { signal }),
  failedUnits: (query: Query, signal?: AbortSignal) =>
    call<Page<FailedUnit>>("GET", "/api/v1/units/failed", { query, signal }),
  queueSummary: (signal?: AbortSignal) =>
    call<QueueSummary>("GET", "/api/v1/jobs/summary", { signal }),
  orphans: (signal?: AbortSignal) => call<Orphans>("GET", "/api/v1/storage/orphans", { signal }),
  deleteOrphans: (token: string) =>
    call<OrphansDeleted>("POST", "/api/v1/storage/orphans/delete", { json: { token } }),

  lecture: (id: string, signal?: AbortSignal) => call<Lecture>("GET", of(id), { signal }),
  restoreLecture: (id: string) => call<unknown>("POST", `${of(id)}/restore`),
  deletedLectures: (query: Query, signal?: AbortSignal) =>
    call<Page<Lecture>>("GET", "/api/v1/lectures", {
      query: { ...query, state: "deleted" },
      signal,
    }),
  choosePoster: (id: string, name: string) =>
    call<unknown>("PUT", `${of(id)}/poster`, { json: { name } }),
  uploadPoster: (id: string, file: File) =>
    sendBytes<unknown>("PUT", `${of(id)}/poster`, { bytes: file, type: file.type }),

  chapters: (id: string, signal?: AbortSignal) =>
    call<Chapters>("GET", `${of(id)}/chapters`, { signal }),
  saveChapters: (id: string, chapters: Chapters["chapters"], version: number) =>
    call<Chapters>("PUT", `${of(id)}/chapters`, { json: { chapters, version } }),

  uploadCaptions: (id: string, file: File, about: { language: string; label: string }) =>
    sendBytes<CaptionRef>("POST", `${of(id)}/captions`, {
      query: { ...about, filename: file.name },
      bytes: file,
      type: "application/octet-stream",
    }),
  captions: (id: string, captionsId: string, signal?: AbortSignal) =>
    call<Captions>("GET", ofCaptions(id, captionsId), { signal }),
  saveCaptions: (id: string, captionsId: string, cues: Cue[], version: number) =>
    call<Captions>("PUT", ofCaptions(id, captionsId), { json: { cues, version } }),
  deleteCaptions: (id: string, captionsId: string) =>
    call<unknown>("DELETE", ofCaptions(id, captionsId)),
  transcribe: (id: string) => call<unknown>("POST", `${of(id)}/transcription`),

  edit: (id: string, signal?: AbortSignal) => call<Edit>("GET", `${of(id)}/edit`, { signal }),
  saveEdit: (id: string, kept: KeptRange[], version: number) =>
    call<Edit>("PUT", `${of(id)}/edit`, { json: { kept, version } }),
  dropEdit: (id: string) => call<unknown>("DELETE", `${of(id)}/edit`),

  clips: (id: string, signal?: AbortSignal) =>
    call<{ items: Clip[] }>("GET", `${of(id)}/clips`, { signal }).then((found) => found.items),
  makeClip: (id: string, wanted: NewClip) =>
    call<Clip>("POST", `${of(id)}/clips`, { json: wanted }),
  dropClip: (id: string, clipId: string) =>
    call<unknown>("DELETE", `${of(id)}/clips/${encodeURIComponent(clipId)}`),

  media: fetchMedia,
};
