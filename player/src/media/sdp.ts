/** Small edits of session descriptions. Pure. */

/** Payload types of `codec` (e.g. "H264"), in the order of the description. */
export function payloadTypes(sdp: string, codec: string): string[] {
  const pattern = new RegExp(`^a=rtpmap:(\\d+) ${codec}/`, "gim");
  return [...sdp.matchAll(pattern)].map((match) => match[1] ?? "");
}

/**
 * Tell Chromium where its bandwidth estimate starts, so that the first seconds are not a blur.
 * Other browsers ignore the parameter. Goes into the answer, for H.264 only.
 */
export function withStartBitrate(sdp: string, start_kbps: number): string {
  const types = new Set(payloadTypes(sdp, "H264"));
  return sdp.replace(/^a=fmtp:(\d+) (.*)$/gm, (line: string, type: string, rest: string) =>
    types.has(type) && !rest.includes("x-google-start-bitrate")
      ? `a=fmtp:${type} ${rest.trimEnd()};x-google-start-bitrate=${start_kbps}`
      : line,
  );
}

/** Codecs in the order we want them offered: H.264 first, packetisation mode 1 before 0. */
export function preferH264<T extends { mimeType: string; sdpFmtpLine?: string }>(
  codecs: readonly T[],
): T[] {
  const rank = (codec: T) => {
    if (codec.mimeType.toLowerCase() !== "video/h264") return 2;
    return codec.sdpFmtpLine?.includes("packetization-mode=1") ? 0 : 1;
  };
  return [...codecs].sort((a, b) => rank(a) - rank(b));
}

export function hasH264(codecs: readonly { mimeType: string }[]): boolean {
  return codecs.some((codec) => codec.mimeType.toLowerCase() === "video/h264");
}

/** `Link: <stun:a>; rel="ice-server"; username="u"; credential="c"` (RFC 9725 §4.6). */
export function parseIceLinks(header: string | null): RTCIceServer[] {
  if (!header) return [];
  const servers: RTCIceServer[] = [];
  for (const entry of header.split(/,(?=\s*<)/)) {
    const url = /<([^>]+)>/.exec(entry)?.[1];
    if (!url || !/rel="?ice-server"?/i.test(entry)) continue;
    const username = /username="([^"]*)"/i.exec(entry)?.[1];
    const credential = /credential="([^"]*)"/i.exec(entry)?.[1];
    servers.push({
      urls: url,
      ...(username ? { username } : {}),
      ...(credential ? { credential } : {}),
    });
  }
  return servers;
}
