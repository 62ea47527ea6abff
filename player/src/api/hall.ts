/** Every call of the public API that the pages make, typed. */
import { call } from "./http";
import type {
  Account,
  AccountDraft,
  Home,
  Job,
  Lecture,
  LiveClass,
  LiveClassDraft,
  Page,
  PublishAccess,
  Role,
  Series,
  Session,
  SiteConfig,
  Visibility,
} from "./types";

interface ListQuery {
  q?: string;
  page?: number;
  page_size?: number;
}

const id = encodeURIComponent;

export const hall = {
  config: (signal?: AbortSignal) => call<SiteConfig>("GET", "/config", { signal }),
  home: (signal?: AbortSignal) => call<Home>("GET", "/home", { signal }),

  session: () => call<Session>("GET", "/session"),
  signIn: (login: string, password: string) =>
    call<Session & { token: string }>("POST", "/session", { body: { login, password } }),
  signOut: () => call<null>("DELETE", "/session"),
  updateOwnAccount: (body: {
    display_name?: string;
    current_password?: string;
    new_password?: string;
  }) => call<Account>("PATCH", "/account", { body }),

  accounts: (query: ListQuery, signal?: AbortSignal) =>
    call<Page<Account>>("GET", "/accounts", { query: { ...query }, signal }),
  createAccount: (body: AccountDraft) =>
    call<Account & { password?: string }>("POST", "/accounts", { body }),
  updateAccount: (
    accountId: string,
    body: { display_name?: string; role?: Role; is_disabled?: boolean; new_password?: string },
  ) => call<Account>("PATCH", `/accounts/${id(accountId)}`, { body }),

  liveClasses: (
    query: ListQuery & { state?: string; series_id?: string; mine?: boolean },
    signal?: AbortSignal,
  ) => call<Page<LiveClass>>("GET", "/live-classes", { query: { ...query }, signal }),
  liveClass: (classId: string, signal?: AbortSignal) =>
    call<LiveClass>("GET", `/live-classes/${id(classId)}`, { signal }),
  createLiveClass: (body: LiveClassDraft) => call<LiveClass>("POST", "/live-classes", { body }),
  updateLiveClass: (classId: string, body: Partial<LiveClassDraft>) =>
    call<LiveClass>("PATCH", `/live-classes/${id(classId)}`, { body }),
  deleteLiveClass: (classId: string) => call<null>("DELETE", `/live-classes/${id(classId)}`),
  publishAccess: (classId: string) =>
    call<PublishAccess>("GET", `/live-classes/${id(classId)}/publish`),
  rotateKey: (classId: string) =>
    call<PublishAccess>("POST", `/live-classes/${id(classId)}/rotate-key`),
  endLiveClass: (classId: string) => call<LiveClass>("POST", `/live-classes/${id(classId)}/end`),
  reopenLiveClass: (classId: string) =>
    call<LiveClass>("POST", `/live-classes/${id(classId)}/reopen`),

  seriesList: (query: ListQuery, signal?: AbortSignal) =>
    call<Page<Series>>("GET", "/series", { query: { ...query }, signal }),
  series: (seriesId: string, signal?: AbortSignal) =>
    call<Series>("GET", `/series/${id(seriesId)}`, { signal }),
  createSeries: (body: { title: string; description?: string }) =>
    call<Series>("POST", "/series", { body }),
  updateSeries: (seriesId: string, body: { title?: string; description?: string }) =>
    call<Series>("PATCH", `/series/${id(seriesId)}`, { body }),

  lectures: (query: ListQuery & { series_id?: string; state?: string }, signal?: AbortSignal) =>
    call<Page<Lecture>>("GET", "/lectures", { query: { ...query }, signal }),
  lecture: (lectureId: string, signal?: AbortSignal) =>
    call<Lecture>("GET", `/lectures/${id(lectureId)}`, { signal }),
  updateLecture: (
    lectureId: string,
    body: {
      title?: string;
      description?: string;
      visibility?: Visibility;
      series_id?: string | null;
      position?: number | null;
    },
  ) => call<Lecture>("PATCH", `/lectures/${id(lectureId)}`, { body }),
  deleteLecture: (lectureId: string) => call<null>("DELETE", `/lectures/${id(lectureId)}`),
  lectureJobs: (lectureId: string, signal?: AbortSignal) =>
    call<Page<Job> | Job[] | { items: Job[] }>("GET", `/lectures/${id(lectureId)}/jobs`, {
      signal,
    }),
  transcode: (lectureId: string) => call<unknown>("POST", `/lectures/${id(lectureId)}/transcode`),
  retryUnit: (unitId: string) => call<unknown>("POST", `/units/${id(unitId)}/retry`),
};
