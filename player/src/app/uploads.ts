/** Files on their way to the server: they go on while other pages are open. */
import { defineStore } from "pinia";
import { computed, reactive, ref, watch } from "vue";
import { desk } from "@/api/desk";
import { hall } from "@/api/hall";
import type { Upload, UploadLimits } from "@/api/pipeline";
import { asProblem, type ApiProblem } from "@/api/problem";
import type { Visibility } from "@/api/types";
import { fileOf, forgetHandle, keepHandle, type PickedFile } from "@/media/upload/handles";
import {
  isOver,
  isSameFile,
  looksLikeMedia,
  nextToStart,
  titleOf,
  type TransferState,
} from "@/media/upload/queue";
import { secondsLeft, speedOf, withReading, type Reading } from "@/media/upload/rate";
import { loadRemembered, saveRemembered, type Remembered } from "@/media/upload/remembered";
import { discardUpload, Transfer } from "@/media/upload/transfer";
import { safeStorage } from "./preferences";
import { useSession } from "./session";

export interface UploadItem extends Remembered {
  state: TransferState;
  isRetrying: boolean;
  sent: number;
  speed_bps: number | null;
  /** Key of our own sentence, or the server's sentence itself. */
  note: string | null;
  reason: string | null;
  problem: ApiProblem | null;
  lectureId: string | null;
  duplicateOf: Upload["duplicate_of"];
  mayRepeat: boolean;
  /** Begun somewhere else: this browser only knows what the server told. */
  isForeign: boolean;
}

export interface UploadDefaults {
  seriesId: string;
  visibility: Visibility;
  /** The lecture whose file is replaced, else "". */
  replaces: string;
}

export const idOf = (url: string | null) => url?.replace(/\/+$/, "").split("/").pop() ?? "";

export const useUploads = defineStore("uploads", () => {
  const store = safeStorage();
  const session = useSession();
  const items = ref<UploadItem[]>([]);
  const limits = ref<UploadLimits | null>(null);
  const files = new Map<string, File>();
  const transfers = new Map<string, Transfer>();
  const readings = new Map<string, Reading[]>();
  let hasRestored = false;

  const isFlowing = computed(() => items.value.some((item) => item.state === "sending"));
  const openCount = computed(() => items.value.filter((item) => !isOver(item.state)).length);
  watch(isFlowing, (flows) => {
    if (flows) window.addEventListener("beforeunload", warn);
    else window.removeEventListener("beforeunload", warn);
  });
  window.addEventListener("online", () => {
    for (const item of items.value) {
      if (item.state === "broken" && item.problem?.kind === "offline") resume(item);
    }
  });
  function warn(event: BeforeUnloadEvent): void {
    event.preventDefault();
  }

  function remember(): void {
    const open = items.value.filter((item) => !isOver(item.state) && !item.isForeign);
    saveRemembered(
      store,
      open.map(({ key, name, size, lastModified, title, seriesId, visibility, replaces, url }) => ({
        ...{ key, name, size, lastModified, title, seriesId, visibility, replaces, url },
      })),
    );
  }

  /** Files from the dialog or dropped: new ones, or those that an earlier visit left half-way. */
  function add(picked: readonly PickedFile[], defaults: UploadDefaults): UploadItem[] {
    const added = picked.map(({ file, handle }) => {
      const known = items.value.find((item) => !isOver(item.state) && isSameFile(item, file));
      const item = known ?? place(newItem(file, defaults));
      if (item.state === "refused") return item;
      files.set(item.key, file);
      item.lastModified = file.lastModified;
      item.isForeign = false;
      if (handle) void keepHandle(item.key, handle);
      if (item.state === "needs_file") item.state = "waiting";
      return item;
    });
    remember();
    pump();
    return added;
  }

  function place(item: UploadItem): UploadItem {
    const shown = reactive(item) as UploadItem;
    items.value.push(shown);
    return shown;
  }

  function newItem(file: File, defaults: UploadDefaults): UploadItem {
    const item: UploadItem = {
      ...blank(crypto.getRandomValues(new Uint32Array(3)).join("-")),
      ...defaults,
      name: file.name,
      size: file.size,
      lastModified: file.lastModified,
      title: titleOf(file.name),
    };
    const note = refusalOf(file);
    return note === null ? item : { ...item, state: "refused", note };
  }

  function refusalOf(file: File): string | null {
    if (file.size === 0) return "uploads.empty";
    if (!looksLikeMedia(file)) return "uploads.notMedia";
    if (limits.value && file.size > limits.value.max_size_bytes) return "uploads.tooBig";
    return null;
  }

  function pump(): void {
    for (const key of nextToStart(items.value)) {
      const item = items.value.find((one) => one.key === key);
      const file = files.get(key);
      if (!item) continue;
      if (file) begin(item, file);
      else item.state = "needs_file";
    }
  }

  function begin(item: UploadItem, file: File): void {
    Object.assign(item, { state: "sending", problem: null, note: null, isRetrying: false });
    readings.set(item.key, []);
    const url = item.url === null ? null : new URL(item.url, window.location.origin).href;
    const transfer = new Transfer(file, metadataOf(item, file), url, {
      onUrl: (address) => {
        item.url = new URL(address).pathname;
        remember();
      },
      onProgress: (sent) => {
        const kept = withReading(readings.get(item.key) ?? [], {
          at_ms: performance.now(),
          bytes: sent,
        });
        readings.set(item.key, kept);
        Object.assign(item, { sent, speed_bps: speedOf(kept), isRetrying: false });
      },
      onRetry: () => {
        item.isRetrying = true;
        item.speed_bps = null;
      },
      onDone: () => {
        void settle(item);
      },
      onProblem: (problem) => {
        stopAt(item, problem);
      },
    });
    transfers.set(item.key, transfer);
    transfer.start();
  }

  function metadataOf(item: UploadItem, file: File): Record<string, string> {
    const all = {
      filename: item.name,
      filetype: file.type,
      title: item.replaces ? "" : item.title.trim(),
      series_id: item.replaces ? "" : item.seriesId,
      visibility: item.replaces ? "" : item.visibility,
      lecture_id: item.replaces,
      allow_duplicate: item.mayRepeat ? "true" : "",
    };
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ""));
  }

  function stopAt(item: UploadItem, problem: ApiProblem): void {
    transfers.delete(item.key);
    item.speed_bps = null;
    item.isRetrying = false;
    if (item.url !== null && (problem.status === 404 || problem.status === 410)) {
      void lookAfter(item);
    } else if (item.url === null && [400, 413, 415, 422].includes(problem.status)) {
      Object.assign(item, { state: "refused", problem });
    } else {
      Object.assign(item, { state: "broken", problem });
    }
    remember();
    pump();
  }

  /** Nothing takes more bytes: it came to an end and the answer was lost, or time ran out. */
  async function lookAfter(item: UploadItem): Promise<void> {
    try {
      const known = await desk.upload(idOf(item.url));
      if (known.state !== "receiving" && known.state !== "expired") {
        await settle(item);
        return;
      }
    } catch (error) {
      const why = asProblem(error);
      if (why.kind !== "not-found") {
        Object.assign(item, { state: "broken", problem: why });
        return;
      }
    }
    Object.assign(item, { url: null, sent: 0, state: "waiting", note: "uploads.startedAgain" });
    remember();
    pump();
  }

  /** The last byte is there: what became of it, and what the editor wrote meanwhile. */
  async function settle(item: UploadItem): Promise<void> {
    transfers.delete(item.key);
    Object.assign(item, { sent: item.size, speed_bps: null, state: "done", isRetrying: false });
    forget(item);
    pump();
    try {
      adopt(item, await desk.upload(idOf(item.url)));
      if (mayRename(item)) await applyDetails(item, item.lectureId ?? "");
      limits.value = await desk.uploadLimits();
    } catch {
      item.note = "uploads.stateUnknown"; // The file is safe; only its page is not known yet.
    }
  }

  function adopt(item: UploadItem, found: Upload): void {
    item.reason = found.reason;
    item.lectureId = found.lecture_id;
    item.duplicateOf = found.duplicate_of;
    if (found.state === "duplicate" || found.state === "refused") item.state = found.state;
  }

  async function applyDetails(item: UploadItem, lectureId: string): Promise<void> {
    const lecture = await hall.lecture(lectureId);
    const title = item.title.trim() || lecture.title;
    const seriesId = lecture.series[0]?.id ?? "";
    const isSame =
      title === lecture.title &&
      seriesId === item.seriesId &&
      lecture.visibility === item.visibility;
    if (isSame) return;
    await hall.updateLecture(lectureId, {
      title,
      series_ids: item.seriesId ? [item.seriesId] : [],
      visibility: item.visibility,
    });
  }

  /** Instructors name their file before it is sent; editors at any time. */
  function mayRename(item: UploadItem): boolean {
    return item.lectureId !== null && item.replaces === "" && session.may("edit");
  }

  /** An editor changed title, series or visibility: before, during or after the sending. */
  async function detailsChanged(item: UploadItem): Promise<void> {
    remember();
    if (item.state === "done" && mayRename(item)) await applyDetails(item, item.lectureId ?? "");
  }

  async function pause(item: UploadItem): Promise<void> {
    const transfer = transfers.get(item.key);
    transfers.delete(item.key);
    Object.assign(item, { state: "paused", speed_bps: null, isRetrying: false });
    await transfer?.pause();
    pump();
  }

  function resume(item: UploadItem): void {
    item.problem = null;
    item.state = files.has(item.key) ? "waiting" : "needs_file";
    pump();
  }

  /** With a button behind it: the browser may ask whether the file may be read again. */
  async function reopen(item: UploadItem): Promise<boolean> {
    const file = await fileOf(item.key, true);
    if (!file || !isSameFile(item, file)) return false;
    files.set(item.key, file);
    resume(item);
    return true;
  }

  async function cancel(item: UploadItem): Promise<void> {
    const transfer = transfers.get(item.key);
    transfers.delete(item.key);
    const url = item.url;
    drop(item);
    pump();
    if (transfer) await transfer.pause();
    if (url !== null) await discardUpload(new URL(url, window.location.origin).href);
  }

  /** The same file is there already, and is wanted a second time. */
  function repeat(item: UploadItem): void {
    Object.assign(item, { mayRepeat: true, url: null, sent: 0, duplicateOf: null });
    resume(item);
    remember();
  }

  function drop(item: UploadItem): void {
    items.value = items.value.filter((one) => one.key !== item.key);
    forget(item);
    files.delete(item.key);
  }

  function forget(item: UploadItem): void {
    void forgetHandle(item.key);
    readings.delete(item.key);
    remember();
  }

  /** What earlier visits left, and what the server still waits for. Once per visit. */
  async function restore(): Promise<void> {
    if (hasRestored) return;
    hasRestored = true;
    for (const known of loadRemembered(store)) {
      const item = place({ ...blank(known.key), ...known, state: "needs_file" });
      const file = await fileOf(item.key, false);
      if (file && isSameFile(item, file)) files.set(item.key, file);
    }
    try {
      limits.value = await desk.uploadLimits();
      reconcile((await desk.uploads({ page_size: 100 })).items);
    } catch {
      hasRestored = items.value.length > 0; // Asked again at the next visit of the page.
    }
    for (const item of items.value) {
      if (item.state === "needs_file" && files.has(item.key)) item.state = "waiting";
    }
    remember();
    pump();
  }

  function reconcile(known: readonly Upload[]): void {
    for (const upload of known) {
      const item = items.value.find((one) => idOf(one.url) === upload.id);
      if (item) refresh(item, upload);
      else if (upload.state === "receiving") place(foreignItem(upload));
    }
  }

  function refresh(item: UploadItem, upload: Upload): void {
    item.sent = upload.received_bytes;
    if (upload.state === "done" || upload.state === "duplicate" || upload.state === "refused") {
      item.state = upload.state;
      adopt(item, upload);
      forget(item);
    } else if (upload.state === "expired") {
      Object.assign(item, { url: null, sent: 0, note: "uploads.expired" });
    }
  }

  return {
    ...{ items, limits, isFlowing, openCount },
    ...{ add, pause, resume, reopen, cancel, repeat, drop, restore, detailsChanged },
  };
});

function blank(key: string): UploadItem {
  return {
    ...{ key, name: "", size: 0, lastModified: null, title: "", seriesId: "", replaces: "" },
    ...{ visibility: "members" as const, url: null, state: "waiting" as const, sent: 0 },
    ...{ isRetrying: false, speed_bps: null, note: null, reason: null, problem: null },
    ...{ lectureId: null, duplicateOf: null, mayRepeat: false, isForeign: false },
  };
}

function foreignItem(upload: Upload): UploadItem {
  return {
    ...blank(upload.id),
    name: upload.filename,
    size: upload.size_bytes,
    title: titleOf(upload.filename),
    url: `/api/v1/uploads/${upload.id}`,
    sent: upload.received_bytes,
    state: "needs_file",
    isForeign: true,
  };
}

/** Seconds left of one item, or null. Pure. */
export function leftOf(item: UploadItem): number | null {
  return secondsLeft(item.size - item.sent, item.speed_bps);
}
