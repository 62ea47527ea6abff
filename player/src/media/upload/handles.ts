/**
 * File handles that outlive the page, where the browser has them (Chromium): after a reload the
 * upload goes on without asking for the file again. Elsewhere every function answers "none".
 */

const DATABASE = "hall-uploads";
const STORE = "handles";

interface PermissionHandle extends FileSystemFileHandle {
  queryPermission?: (about: { mode: "read" }) => Promise<PermissionState>;
  requestPermission?: (about: { mode: "read" }) => Promise<PermissionState>;
}
interface PickerWindow extends Window {
  showOpenFilePicker?: (options: { multiple: boolean }) => Promise<FileSystemFileHandle[]>;
}
interface HandleItem extends DataTransferItem {
  getAsFileSystemHandle?: () => Promise<FileSystemHandle | null>;
}

export interface PickedFile {
  file: File;
  handle: FileSystemFileHandle | null;
}

export function hasPicker(): boolean {
  return typeof (window as PickerWindow).showOpenFilePicker === "function";
}

/** Ask for files with handles; empty when the person closed the dialog. */
export async function pickFiles(): Promise<PickedFile[]> {
  try {
    const handles = (await (window as PickerWindow).showOpenFilePicker?.({ multiple: true })) ?? [];
    return await Promise.all(
      handles.map(async (handle) => ({ file: await handle.getFile(), handle })),
    );
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return [];
    throw error;
  }
}

/** Files that were dropped. The handles must be asked for in the drop event itself. */
export async function droppedFiles(data: DataTransfer): Promise<PickedFile[]> {
  const asked = [...data.items]
    .filter((item) => item.kind === "file")
    .map((item: HandleItem) => ({
      file: item.getAsFile(),
      handle: item.getAsFileSystemHandle?.() ?? Promise.resolve(null),
    }));
  const found: PickedFile[] = [];
  for (const { file, handle } of asked) {
    const known = await handle.catch(() => null); // A handle is a convenience, the file is enough.
    if (known?.kind === "directory") found.push(...(await filesIn(known)));
    else if (file) found.push({ file, handle: known as FileSystemFileHandle | null });
  }
  return found;
}

const MAX_FOLDER_FILES = 200;

/** The files of a dropped folder, one level deep. */
async function filesIn(folder: FileSystemHandle): Promise<PickedFile[]> {
  const found: PickedFile[] = [];
  const entries = (folder as unknown as { values: () => AsyncIterable<FileSystemHandle> }).values();
  for await (const entry of entries) {
    if (entry.kind !== "file" || found.length >= MAX_FOLDER_FILES) continue;
    const handle = entry as FileSystemFileHandle;
    found.push({ file: await handle.getFile(), handle });
  }
  return found;
}

export async function keepHandle(key: string, handle: FileSystemFileHandle): Promise<void> {
  await within("readwrite", (store) => store.put(handle, key));
}

export async function forgetHandle(key: string): Promise<void> {
  await within("readwrite", (store) => store.delete(key));
}

/**
 * The file of an earlier visit: at once when the browser still allows it, else only when
 * `mayAsk` (a press of a button stands behind the call) and the person agrees.
 */
export async function fileOf(key: string, mayAsk: boolean): Promise<File | null> {
  const handle = (await within("readonly", (store) => store.get(key))) as
    PermissionHandle | null | undefined;
  if (!handle?.queryPermission) return null;
  try {
    let state = await handle.queryPermission({ mode: "read" });
    if (state === "prompt" && mayAsk) {
      state = (await handle.requestPermission?.({ mode: "read" })) ?? "denied";
    }
    return state === "granted" ? await handle.getFile() : null;
  } catch (error) {
    if (error instanceof DOMException) return null; // Moved, deleted or not allowed: ask in words.
    throw error;
  }
}

/** One request in the database; null where there is none (private windows, old browsers). */
async function within(
  mode: IDBTransactionMode,
  ask: (store: IDBObjectStore) => IDBRequest,
): Promise<unknown> {
  if (typeof indexedDB === "undefined") return null;
  try {
    const database = await settled<IDBDatabase>(opening());
    try {
      return await settled<unknown>(ask(database.transaction(STORE, mode).objectStore(STORE)));
    } finally {
      database.close();
    }
  } catch (error) {
    if (error instanceof DOMException) return null; // Not allowed here: only a convenience is lost.
    throw error;
  }
}

function opening(): IDBOpenDBRequest {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(STORE);
  };
  return request;
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => {
      resolve(request.result);
    };
    request.onerror = () => {
      reject(request.error ?? new DOMException("the database gave no reason", "UnknownError"));
    };
  });
}
