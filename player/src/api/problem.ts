/** Errors of the API as values. Pure: no I/O. */

export type ProblemKind =
  | "offline"
  | "timeout"
  | "not-signed-in"
  | "not-allowed"
  | "not-found"
  | "conflict"
  | "invalid"
  | "throttled"
  | "busy"
  | "server";

/** One failed request, in the words a page needs. */
export class ApiProblem extends Error {
  constructor(
    readonly kind: ProblemKind,
    readonly status: number,
    /** Sentence of the server for people, when it sent one. */
    readonly title: string,
    readonly detail: string,
    /** Seconds the server asks us to wait, else null. */
    readonly retryAfter_s: number | null = null,
  ) {
    super(detail || title || kind);
    this.name = "ApiProblem";
  }

  /** Trying again without changing anything can help. */
  get isRetryable(): boolean {
    return ["offline", "timeout", "busy", "server", "throttled"].includes(this.kind);
  }
}

const KIND_OF_STATUS: Readonly<Record<number, ProblemKind>> = {
  401: "not-signed-in",
  403: "not-allowed",
  404: "not-found",
  409: "conflict",
  408: "timeout",
  429: "throttled",
  502: "busy",
  503: "busy",
  504: "busy",
};

export function kindOfStatus(status: number): ProblemKind {
  const known = KIND_OF_STATUS[status];
  if (known) return known;
  return status >= 400 && status < 500 ? "invalid" : "server";
}

/** Read a problem+json body that may be anything at all. */
export function problemFrom(
  status: number,
  body: unknown,
  retryAfter: string | null = null,
): ApiProblem {
  const fields = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const text = (name: string) => (typeof fields[name] === "string" ? (fields[name] as string) : "");
  const seconds = Number(retryAfter);
  return new ApiProblem(
    kindOfStatus(status),
    status,
    text("title"),
    text("detail"),
    retryAfter !== null && Number.isFinite(seconds) && seconds >= 0 ? seconds : null,
  );
}

/** Whatever was thrown, as a problem. */
export function asProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return new ApiProblem("timeout", 0, "", error.message);
  }
  if (error instanceof TypeError) return new ApiProblem("offline", 0, "", error.message);
  return new ApiProblem("server", 0, "", error instanceof Error ? error.message : String(error));
}
