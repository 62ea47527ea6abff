/** When to try again. Pure: the random number comes from the caller. */

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 8_000; // A class must be back within seconds of the network.

/** Delay before attempt `attempt` (0 is the first retry), with +-20 % so that a hall does not return in step. */
export function retryDelay_ms(attempt: number, random: number): number {
  const base = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 10));
  return Math.round(base * (0.8 + 0.4 * random));
}

export type PublishFailure = "refused" | "no_h264" | "taken" | "gone" | "network" | "server";

/** Meaning of the answer to a WHIP or WHEP POST; null when it is not a failure. */
export function failureOfStatus(status: number): PublishFailure | null {
  if (status === 201 || status === 200) return null;
  if (status === 401 || status === 403) return "refused";
  if (status === 404 || status === 410) return "gone";
  if (status === 406 || status === 415) return "no_h264";
  if (status === 409 || status === 429) return "taken";
  return status === 0 ? "network" : "server";
}

export type RetryPlan = { action: "retry"; delay_ms: number } | { action: "stop" };

export function planRetry(
  failure: PublishFailure,
  attempt: number,
  random: number,
  retryAfter_s: number | null = null,
): RetryPlan {
  if (failure === "refused" || failure === "gone" || failure === "no_h264")
    return { action: "stop" };
  if (failure === "taken") return { action: "retry", delay_ms: 1000 * (retryAfter_s ?? 10) };
  const delay_ms = retryAfter_s === null ? retryDelay_ms(attempt, random) : retryAfter_s * 1000;
  return { action: "retry", delay_ms };
}
