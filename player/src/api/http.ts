/** One request to `/api/v1`: cookie session, CSRF header, deadline, problems as `ApiProblem`. */
import { asProblem, problemFrom } from "./problem";

export const API_BASE = "/api/v1";
const DEADLINE_MS = 15_000; // A page says so sooner than a thin village link gives up.

let csrfToken = "";

export function setCsrfToken(token: string): void {
  csrfToken = token;
}

export type Query = Record<string, string | number | boolean | null | undefined>;

export interface CallOptions {
  query?: Query;
  body?: unknown;
  signal?: AbortSignal;
}

/** Empty, null and undefined values are left out. */
export function buildUrl(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return `${API_BASE}${path}${text ? `?${text}` : ""}`;
}

/** Raises `ApiProblem`; a cancelled request raises the `AbortError` of the caller's signal. */
export async function call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json, application/problem+json" };
  if (method !== "GET") headers["X-CSRF-Token"] = csrfToken;
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  let response: Response;
  try {
    response = await fetch(buildUrl(path, options.query), {
      method,
      headers,
      credentials: "same-origin",
      cache: "no-store",
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      signal: options.signal ? AbortSignal.any([options.signal, deadline]) : deadline,
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw asProblem(error);
  }
  const text = await response.text();
  const body = parseJson(text);
  if (!response.ok) throw problemFrom(response.status, body, response.headers.get("Retry-After"));
  return body as T;
}

function parseJson(text: string): unknown {
  if (text === "") return null;
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return null; // A gate's HTML error page has no fields for us.
    throw error;
  }
}
