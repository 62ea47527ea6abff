/** The generated client with our manners: cookie session, CSRF header, deadline, `ApiProblem`s. */
import createClient from "openapi-fetch";
import { asProblem, problemFrom } from "./problem";
import type { paths } from "./schema";

const DEADLINE_MS = 15_000; // A page says so sooner than a thin village link gives up.

let csrfToken = "";

export function setCsrfToken(token: string): void {
  csrfToken = token;
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
