/** One file over tus: chunks with checksums, retries with back-off, problems in our words. */
import { type DetailedError, type HttpRequest, Upload as TusUpload } from "tus-js-client";
import { currentCsrfToken } from "@/api/http";
import { ApiProblem, problemFrom } from "@/api/problem";
import { FIRST_CHUNK_BYTES, nextChunkBytes } from "./rate";

const ENDPOINT = "/api/v1/uploads";
// Eight minutes in all: a restart of the server, a lift, a change of network.
const RETRY_MS = [500, 1_000, 2_000, 4_000, 8_000, ...Array<number>(15).fill(30_000)];
const AGAIN = [0, 409, 423, 429, 460];

export interface TransferEvents {
  /** The upload exists at the server: from here on it can be resumed. */
  onUrl: (url: string) => void;
  onProgress: (sent_bytes: number) => void;
  /** The network or the server is away; it is tried again by itself. */
  onRetry: () => void;
  onDone: () => void;
  onProblem: (problem: ApiProblem) => void;
}

export class Transfer {
  private readonly upload: TusUpload;
  private isStopped = false;
  private chunkFrom_ms = 0;

  constructor(
    private readonly file: File,
    metadata: Record<string, string>,
    url: string | null,
    events: TransferEvents,
  ) {
    const upload = new TusUpload(file, {
      endpoint: url === null ? new URL(ENDPOINT, window.location.origin).href : null,
      uploadUrl: url,
      metadata,
      chunkSize: FIRST_CHUNK_BYTES,
      retryDelays: RETRY_MS,
      storeFingerprintForResuming: false, // We remember uploads ourselves, with their titles.
      onBeforeRequest: (request) => this.prepare(request),
      onUploadUrlAvailable: () => {
        // Without an endpoint, a server that is away can never be answered with a second upload.
        upload.options.endpoint = null;
        if (upload.url) events.onUrl(upload.url);
      },
      onProgress: events.onProgress,
      onChunkComplete: (bytes) => {
        upload.options.chunkSize = nextChunkBytes(bytes, performance.now() - this.chunkFrom_ms);
      },
      onShouldRetry: (error) => {
        const status = error.originalResponse?.getStatus() ?? 0;
        const mayHelp = AGAIN.includes(status) || (status >= 500 && status !== 507);
        if (mayHelp) events.onRetry();
        return mayHelp;
      },
      onSuccess: events.onDone,
      onError: (error) => {
        events.onProblem(problemOf(error));
      },
    });
    this.upload = upload;
  }

  start(): void {
    this.isStopped = false;
    this.upload.start();
  }

  /** Stop sending; what the server has is kept. */
  async pause(): Promise<void> {
    this.isStopped = true;
    await this.upload.abort();
  }

  private async prepare(request: HttpRequest): Promise<void> {
    request.setHeader("X-CSRF-Token", currentCsrfToken());
    if (request.getMethod() !== "PATCH") return;
    const offset = Number(request.getHeader("Upload-Offset"));
    const size = this.upload.options.chunkSize ?? FIRST_CHUNK_BYTES;
    const checksum = await checksumOf(this.file.slice(offset, offset + size));
    this.chunkFrom_ms = performance.now();
    // Stopped while the digest was made: the library would send the chunk all the same.
    if (this.isStopped) throw new Error("the upload was stopped");
    if (checksum !== null) request.setHeader("Upload-Checksum", checksum);
  }
}

/** `sha256 <base64>`; null without a secure context, where browsers have no digests. */
export async function checksumOf(chunk: Blob): Promise<string | null> {
  const { subtle } = globalThis.crypto as { subtle?: SubtleCrypto };
  if (!subtle) return null;
  const digest = new Uint8Array(await subtle.digest("SHA-256", await chunk.arrayBuffer()));
  return `sha256 ${btoa(String.fromCharCode(...digest))}`;
}

/** Take back at the server what no page sends any more. */
export async function discardUpload(url: string): Promise<void> {
  await TusUpload.terminate(url, {
    retryDelays: [500, 2_000],
    onBeforeRequest: (request) => {
      request.setHeader("X-CSRF-Token", currentCsrfToken());
    },
  });
}

export function problemOf(error: Error): ApiProblem {
  const response = (error as Partial<DetailedError>).originalResponse ?? null;
  if (response === null) return new ApiProblem("offline", 0, "", error.message);
  let body: unknown = null;
  try {
    body = JSON.parse(response.getBody());
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause; // HEAD has no body, a gate's page no fields.
  }
  return problemFrom(response.getStatus(), body, response.getHeader("Retry-After") ?? null);
}
