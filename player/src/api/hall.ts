/** Every call of the public API that the pages make, typed by the generated schema. */
import { body, client } from "./http";
import type {
  AccountChange,
  AccountDraft,
  ClassState,
  LectureChange,
  LectureState,
  LiveClass,
  LiveClassChange,
  LiveClassDraft,
  OwnAccountChange,
  Publication,
} from "./types";

interface ListQuery {
  q?: string;
  page?: number;
  page_size?: number;
}

type ClassQuery = ListQuery & { state?: ClassState; series_id?: string; mine?: boolean };
type LectureQuery = ListQuery & {
  state?: LectureState;
  series_id?: string;
  publication?: Publication;
  form?: string;
  featured?: boolean;
  instructor_id?: string;
};

const ofClass = (class_id: string) => ({ params: { path: { class_id } } });
const ofLecture = (lecture_id: string) => ({ params: { path: { lecture_id } } });

export const hall = {
  config: () => body(client.GET("/api/v1/config")),
  home: (signal?: AbortSignal) => body(client.GET("/api/v1/home", { signal })),

  session: () => body(client.GET("/api/v1/session")),
  signIn: (login: string, password: string) =>
    body(client.POST("/api/v1/session", { body: { login, password } })),
  signOut: () => body(client.DELETE("/api/v1/session")),
  updateOwnAccount: (change: OwnAccountChange) =>
    body(client.PATCH("/api/v1/account", { body: change })),

  accounts: (query: ListQuery, signal?: AbortSignal) =>
    body(client.GET("/api/v1/accounts", { params: { query }, signal })),
  createAccount: (draft: AccountDraft) => body(client.POST("/api/v1/accounts", { body: draft })),
  updateAccount: (account_id: string, change: AccountChange) =>
    body(
      client.PATCH("/api/v1/accounts/{account_id}", {
        params: { path: { account_id } },
        body: change,
      }),
    ),

  liveClasses: (query: ClassQuery, signal?: AbortSignal) =>
    body(client.GET("/api/v1/live-classes", { params: { query }, signal })),
  /** Classes in any of these states, in the order of the states. */
  async liveClassesIn(
    states: readonly ClassState[],
    query: ClassQuery,
    signal?: AbortSignal,
  ): Promise<LiveClass[]> {
    const pages = await Promise.all(
      states.map((state) => hall.liveClasses({ ...query, state }, signal)),
    );
    return pages.flatMap((page) => page.items);
  },
  liveClass: (classId: string, signal?: AbortSignal) =>
    body(client.GET("/api/v1/live-classes/{class_id}", { ...ofClass(classId), signal })),
  createLiveClass: (draft: LiveClassDraft) =>
    body(client.POST("/api/v1/live-classes", { body: draft })),
  updateLiveClass: (classId: string, change: LiveClassChange) =>
    body(client.PATCH("/api/v1/live-classes/{class_id}", { ...ofClass(classId), body: change })),
  deleteLiveClass: (classId: string) =>
    body(client.DELETE("/api/v1/live-classes/{class_id}", ofClass(classId))),
  publishAccess: (classId: string) =>
    body(client.GET("/api/v1/live-classes/{class_id}/publish", ofClass(classId))),
  rotateKey: (classId: string) =>
    body(client.POST("/api/v1/live-classes/{class_id}/rotate-key", ofClass(classId))),
  endLiveClass: (classId: string) =>
    body(client.POST("/api/v1/live-classes/{class_id}/end", ofClass(classId))),
  reopenLiveClass: (classId: string) =>
    body(client.POST("/api/v1/live-classes/{class_id}/reopen", ofClass(classId))),

  seriesList: (query: ListQuery, signal?: AbortSignal) =>
    body(client.GET("/api/v1/series", { params: { query }, signal })),
  series: (series_id: string, signal?: AbortSignal) =>
    body(client.GET("/api/v1/series/{series_id}", { params: { path: { series_id } }, signal })),
  createSeries: (draft: { title: string; description: string }) =>
    body(client.POST("/api/v1/series", { body: draft })),
  updateSeries: (series_id: string, change: { title?: string; description?: string }) =>
    body(
      client.PATCH("/api/v1/series/{series_id}", { params: { path: { series_id } }, body: change }),
    ),

  lectures: (query: LectureQuery, signal?: AbortSignal) =>
    body(client.GET("/api/v1/lectures", { params: { query }, signal })),
  lecture: (lectureId: string, signal?: AbortSignal) =>
    body(client.GET("/api/v1/lectures/{lecture_id}", { ...ofLecture(lectureId), signal })),
  updateLecture: (lectureId: string, change: LectureChange) =>
    body(client.PATCH("/api/v1/lectures/{lecture_id}", { ...ofLecture(lectureId), body: change })),
  lectureJobs: async (lectureId: string, signal?: AbortSignal) =>
    (
      await body(
        client.GET("/api/v1/lectures/{lecture_id}/jobs", { ...ofLecture(lectureId), signal }),
      )
    ).items,
  transcode: (lectureId: string) =>
    body(client.POST("/api/v1/lectures/{lecture_id}/transcode", ofLecture(lectureId))),
  retryUnit: (unit_id: string) =>
    body(client.POST("/api/v1/units/{unit_id}/retry", { params: { path: { unit_id } } })),
  deleteLecture: (lectureId: string) =>
    body(client.DELETE("/api/v1/lectures/{lecture_id}", ofLecture(lectureId))),
};
