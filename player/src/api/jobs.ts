/** Transcoding as editors see it. */
import { body, client } from "./http";
import type { Job } from "./types";

/** Paths that docs/openapi.json does not describe yet; the shapes are those of docs/contracts.md. */
interface JobPaths {
  GET: (path: string, init: { signal?: AbortSignal }) => Promise<{ data?: unknown }>;
  POST: (path: string) => Promise<{ data?: unknown }>;
}
const raw = client as unknown as JobPaths;
const id = encodeURIComponent;

export const jobs = {
  async ofLecture(lectureId: string, signal?: AbortSignal): Promise<Job[]> {
    return jobList(await body(raw.GET(`/api/v1/lectures/${id(lectureId)}/jobs`, { signal })));
  },
  transcode: (lectureId: string) => body(raw.POST(`/api/v1/lectures/${id(lectureId)}/transcode`)),
  retry: (unitId: string) => body(raw.POST(`/api/v1/units/${id(unitId)}/retry`)),
};

/** A bare list or a page of one. Pure. */
export function jobList(answer: unknown): Job[] {
  if (Array.isArray(answer)) return answer as Job[];
  const items = (answer as { items?: unknown } | null)?.items;
  return Array.isArray(items) ? (items as Job[]) : [];
}
