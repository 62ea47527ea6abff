/** The generated client with our manners: cookie session, CSRF header, deadline, `ApiProblem`s. */
import createClient from "openapi-fetch";
import { asProblem, problemFrom } from "./problem";
import type { paths } from "./schema";

const DEADLINE_MS = 15_000; // A page says so sooner than a thin village link gives up.

let csrfToken = "";

export function setCsrfToken(token: string): void {
  csrfToken = token;
}

/** For requests that do not go through the client: uploads. */
export function currentCsrfToken(): string {
  return csrfToken;
}

/** One request. Raises `ApiProblem`, or the `AbortError` of the caller's own signal. */
async function send(request: Request): Promise<Response> {
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  let response: Response;
  try {
    response = await fetch(
      new Request(request, { signal: withDeadline(request.signal, deadline) }),
    );
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw asProblem(error);
  }
  if (response.ok) return response;
  throw problemFrom(
    response.status,
    parseJson(await response.text()),
    response.headers.get("Retry-After"),
  );
}

/** `AbortSignal.any` is missing in browsers of 2023 and older: those go without a deadline. */
function withDeadline(own: AbortSignal, deadline: AbortSignal): AbortSignal {
  return "any" in AbortSignal ? AbortSignal.any([own, deadline]) : own;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return null; // A gate's HTML error page has no fields for us.
    throw error;
  }
}

export const client = createClient<paths>({
  baseUrl: window.location.origin,
  credentials: "same-origin",
  cache: "no-store",
  fetch: send,
  // Filters that are not set are left out, so that "" is not taken for a value.
  querySerializer: (query) => {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query as Record<string, unknown>)) {
      if (value !== undefined && value !== null && value !== "" && value !== false) {
        search.set(name, String(value as string | number | true));
      }
    }
    return search.toString();
  },
});
client.use({
  onRequest: ({ request }) => {
    if (request.method !== "GET") request.headers.set("X-CSRF-Token", csrfToken);
    return request;
  },
});

/** The body of an answer that was 2xx: everything else was thrown by `send`. */
export async function body<T>(answer: Promise<{ data?: T }>): Promise<T> {
  const { data } = await answer;
  return data as T;
}

interface JsonCall {
  query?: Record<string, string | number | undefined>;
  json?: unknown;
  signal?: AbortSignal;
  /** The browser finishes it although the page is leaving. */
  keepalive?: boolean;
}

/** One call with a JSON body, if any, and a JSON answer, if any. */
export async function call<T>(
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
  path: string,
  { query, json, signal, keepalive }: JsonCall = {},
): Promise<T> {
  const headers = new Headers();
  if (method !== "GET") headers.set("X-CSRF-Token", csrfToken);
  if (json !== undefined) headers.set("Content-Type", "application/json");
  const response = await send(
    new Request(withQuery(path, query), {
      method,
      headers,
      body: json === undefined ? null : JSON.stringify(json),
      credentials: "same-origin",
      cache: "no-store",
      keepalive: keepalive ?? false,
      signal: signal ?? null,
    }),
  );
  return parseJson(await response.text()) as T;
}

/** Filters that are not set are left out. */
function withQuery(path: string, query: JsonCall["query"] = {}): URL {
  const url = new URL(path, window.location.origin);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  return url;
}

interface RawCall {
  query?: Record<string, string | undefined>;
  /** A file as it is; nothing wraps it. */
  bytes: Blob;
  type: string;
}

/** Send a file's bytes to an address of the API and read its JSON answer. */
export async function sendBytes<T>(method: "POST" | "PUT", path: string, call: RawCall) {
  const response = await send(
    new Request(withQuery(path, call.query), {
      method,
      body: call.bytes,
      headers: { "Content-Type": call.type, "X-CSRF-Token": csrfToken },
      credentials: "same-origin",
    }),
  );
  return parseJson(await response.text()) as T;
}

/** A media file or text that the API named by its URL. */
export async function fetchMedia(url: string, signal?: AbortSignal): Promise<Response> {
  return send(new Request(url, { credentials: "same-origin", signal: signal ?? null }));
}
