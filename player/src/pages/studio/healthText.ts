/** Health of the stream in words. Pure. */
import type { StreamHealth } from "@/api/types";

/** Codes of `StreamHealth.warnings` that have a sentence; others are shown as they are. */
export const KNOWN_WARNINGS = [
  "gop_too_long",
  "no_audio",
  "low_bitrate",
  "b_frames",
  "unstable_network",
  "recording_paused",
  "storage_behind",
  "disk_low",
] as const;

export function isKnownWarning(code: string): boolean {
  return (KNOWN_WARNINGS as readonly string[]).includes(code);
}

export function formatBitrate(bps: number): string {
  if (!Number.isFinite(bps) || bps <= 0) return "0 kbit/s";
  return bps >= 1_000_000 ? `${(bps / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bps / 1000)} kbit/s`;
}

export type Verdict = "good" | "warn" | "off";

export function verdictOf(health: StreamHealth | null): Verdict {
  if (!health) return "off";
  return health.warnings.length > 0 ? "warn" : "good";
}
