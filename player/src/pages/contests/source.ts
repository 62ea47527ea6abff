/** Pure: what the player needs of a film that can be played. */
import type { PlayerSource } from "@/components/player/usePlayer";

export function buildSource(
  playback: { hls_url: string; audio_url: string } | null | undefined,
): PlayerSource | null {
  if (!playback) return null;
  return {
    hls_url: playback.hls_url,
    audio_url: playback.audio_url,
    whep_url: null,
    isLive: false,
    start_s: null,
    iceServers: [],
  };
}
