/** The HTTP half that WHIP and WHEP share: offer up, answer down, DELETE at the end. */
import { failureOfStatus, type PublishFailure } from "./reconnect";

const POST_DEADLINE_MS = 10_000;
const GATHERING_DEADLINE_MS = 1_500; // Host candidates come at once; a silent STUN must not hold us.

export class RtcRefused extends Error {
  constructor(
    readonly failure: PublishFailure,
    readonly retryAfter_s: number | null,
    detail: string,
  ) {
    super(detail || failure);
    this.name = "RtcRefused";
  }
}

export interface RtcAnswer {
  sdp: string;
  sessionUrl: string | null;
}

export async function postOffer(
  url: string,
  sdp: string,
  token: string | null,
): Promise<RtcAnswer> {
  const headers: Record<string, string> = { "Content-Type": "application/sdp" };
  if (token !== null) headers.Authorization = `Bearer ${token}`;
  let response: Response;
  try {
    response = await fetch(url, {
      method: "POST",
      headers,
      body: sdp,
      signal: AbortSignal.timeout(POST_DEADLINE_MS),
    });
  } catch (error) {
    throw new RtcRefused("network", null, error instanceof Error ? error.message : "");
  }
  const text = await response.text();
  const failure = failureOfStatus(response.status);
  if (failure !== null) {
    const wait = Number(response.headers.get("Retry-After") ?? NaN);
    throw new RtcRefused(failure, Number.isFinite(wait) ? wait : null, text.slice(0, 300));
  }
  const location = response.headers.get("Location");
  return { sdp: text, sessionUrl: location ? new URL(location, response.url).href : null };
}

/** Best effort: the server also notices by itself within five seconds. */
export function deleteSession(sessionUrl: string, token: string | null): void {
  const headers: Record<string, string> =
    token === null ? {} : { Authorization: `Bearer ${token}` };
  fetch(sessionUrl, { method: "DELETE", headers, keepalive: true }).catch(() => undefined);
}

/** The offer with its candidates; we do not trickle. */
export async function completeOffer(peer: RTCPeerConnection): Promise<string> {
  await peer.setLocalDescription(await peer.createOffer());
  if (peer.iceGatheringState !== "complete") {
    await new Promise<void>((resolve) => {
      const timer = window.setTimeout(resolve, GATHERING_DEADLINE_MS);
      peer.addEventListener("icegatheringstatechange", () => {
        if (peer.iceGatheringState !== "complete") return;
        window.clearTimeout(timer);
        resolve();
      });
    });
  }
  return peer.localDescription?.sdp ?? "";
}
