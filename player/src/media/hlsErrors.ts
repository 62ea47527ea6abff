/** What to do about an error of the HLS engine. Pure. */

export interface HlsFault {
  type: string;
  details: string;
  isFatal: boolean;
  /** HTTP status of the failed request, 0 when there was none. */
  status: number;
}

export type Remedy =
  | { action: "ignore" }
  | { action: "reload"; delay_ms: number }
  | { action: "recover_media" }
  | { action: "swap_audio_and_recover" }
  | { action: "rebuild"; delay_ms: number }
  | { action: "give_up"; why: "denied" | "unsupported" };

/** `mediaFaults` and `networkFaults` count the faults since playback last moved on. */
export function remedyFor(fault: HlsFault, mediaFaults: number, networkFaults: number): Remedy {
  if (fault.status === 401 || fault.status === 403) return { action: "give_up", why: "denied" };
  if (!fault.isFatal) return { action: "ignore" };
  if (fault.details === "manifestIncompatibleCodecsError") {
    return { action: "give_up", why: "unsupported" };
  }
  if (fault.type === "mediaError") {
    if (mediaFaults === 0) return { action: "recover_media" };
    if (mediaFaults === 1) return { action: "swap_audio_and_recover" };
    return { action: "rebuild", delay_ms: 2_000 };
  }
  const delay_ms = Math.min(8_000, 1_000 * 2 ** Math.min(networkFaults, 6));
  // Without a multivariant playlist there is nothing to start loading from.
  const lostStart = fault.details.startsWith("manifest");
  return { action: lostStart ? "rebuild" : "reload", delay_ms };
}
