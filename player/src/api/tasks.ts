/** The calls of the desk: what needs doing, and the course list. */
import { body, client, sendBytes } from "./http";
import type { components } from "./schema";

type Schemas = components["schemas"];
export type Task = Schemas["Task"];
export type TaskKind = Task["kind"];
export type CourseListOutcome = Schemas["CourseListOutcome"];

const LIST = "/api/v1/course-list";

export const tasks = {
  tasks: (signal?: AbortSignal) => body(client.GET("/api/v1/desk/tasks", { signal })),
  bringIn: (file: File, isDryRun: boolean) =>
    sendBytes<CourseListOutcome>("POST", LIST, {
      bytes: file,
      type: "application/octet-stream",
      query: { dry_run: String(isDryRun) },
    }),
  listUrl: (format: "xlsx" | "csv" | "json") => `${LIST}?format=${format}`,
  templateUrl: `${LIST}/template`,
};
