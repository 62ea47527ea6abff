/** Publishing from the browser: WHIP (RFC 9725), H.264 first, comes back by itself.
 *
 *   idle -> connecting -> live -> reconnecting -> live ... -> closed
 *                   \-> failed (refused, gone, no H.264)
 */
import { planRetry, type PublishFailure } from "./reconnect";
import { completeOffer, deleteSession, postOffer, RtcRefused } from "./rtcPost";
import { hasH264, preferH264, withStartBitrate } from "./sdp";

export type PublisherState = "idle" | "connecting" | "live" | "reconnecting" | "failed" | "closed";

export interface PublisherOptions {
  url: string;
  token: string;
  iceServers: RTCIceServer[];
  video: MediaStreamTrack;
  audio: MediaStreamTrack | null;
  onState: (state: PublisherState, failure: PublishFailure | null) => void;
}

export interface SendStats {
  bitrate_bps: number;
  fps: number;
  width: number;
  height: number;
  rtt_ms: number | null;
  isLimited: boolean;
}

const MAX_VIDEO_BPS = 2_500_000; // 720p slides and a face; what the ladder expects.
const START_KBPS = 1_500;
const DISCONNECTED_PATIENCE_MS = 2_500; // Wi-Fi roaming often heals; a dead path does not.
const CONNECT_DEADLINE_MS = 12_000;

export class WhipPublisher {
  private peer: RTCPeerConnection | null = null;
  private sessionUrl: string | null = null;
  private attempt = 0;
  private retryTimer = 0;
  private watchTimer = 0;
  private isStopped = false;
  private hasBeenLive = false;
  private last: { bytes: number; at_ms: number } | null = null;

  constructor(private readonly options: PublisherOptions) {
    window.addEventListener("online", this.onOnline);
  }

  start(): void {
    this.isStopped = false;
    void this.connect();
  }

  /** Closes the session for good; the class itself stays open until it is ended. */
  stop(): void {
    this.isStopped = true;
    window.removeEventListener("online", this.onOnline);
    window.clearTimeout(this.retryTimer);
    this.drop();
    this.options.onState("closed", null);
  }

  async stats(): Promise<SendStats | null> {
    if (!this.peer || this.peer.connectionState !== "connected") return null;
    const report = await this.peer.getStats();
    let sent: Record<string, unknown> | null = null;
    let rtt_ms: number | null = null;
    report.forEach((entry: Record<string, unknown>) => {
      if (entry.type === "outbound-rtp" && entry.kind === "video") sent = entry;
      if (entry.type === "candidate-pair" && entry.nominated === true) {
        const rtt = entry.currentRoundTripTime;
        if (typeof rtt === "number") rtt_ms = Math.round(rtt * 1000);
      }
    });
    if (sent === null) return null;
    const number = (name: string) => Number((sent as Record<string, unknown>)[name] ?? 0);
    const now = { bytes: number("bytesSent"), at_ms: performance.now() };
    const before = this.last ?? { bytes: now.bytes, at_ms: now.at_ms - 1 };
    this.last = now;
    const reason = (sent as Record<string, unknown>).qualityLimitationReason;
    return {
      bitrate_bps: ((now.bytes - before.bytes) * 8000) / Math.max(1, now.at_ms - before.at_ms),
      fps: number("framesPerSecond"),
      width: number("frameWidth"),
      height: number("frameHeight"),
      rtt_ms,
      isLimited: reason === "bandwidth" || reason === "cpu",
    };
  }

  private readonly onOnline = (): void => {
    if (this.isStopped || this.peer?.connectionState === "connected") return;
    window.clearTimeout(this.retryTimer);
    this.attempt = 0;
    void this.connect();
  };

  private async connect(): Promise<void> {
    this.drop();
    if (this.isStopped) return;
    this.options.onState(this.hasBeenLive ? "reconnecting" : "connecting", null);
    const peer = new RTCPeerConnection({
      iceServers: this.options.iceServers,
      bundlePolicy: "max-bundle",
    });
    this.peer = peer;
    try {
      await this.negotiate(peer);
    } catch (error) {
      if (peer !== this.peer) return;
      this.failed(error);
    }
  }

  private async negotiate(peer: RTCPeerConnection): Promise<void> {
    const sender = this.addTracks(peer);
    this.watch(peer);
    const offer = await completeOffer(peer);
    const answer = await postOffer(this.options.url, offer, this.options.token);
    if (peer !== this.peer || this.isStopped) {
      if (answer.sessionUrl) deleteSession(answer.sessionUrl, this.options.token);
      return;
    }
    this.sessionUrl = answer.sessionUrl;
    await peer.setRemoteDescription({
      type: "answer",
      sdp: withStartBitrate(answer.sdp, START_KBPS),
    });
    await capSender(sender);
  }

  private addTracks(peer: RTCPeerConnection): RTCRtpSender {
    const stream = new MediaStream([this.options.video]);
    const video = peer.addTransceiver(this.options.video, {
      direction: "sendonly",
      streams: [stream],
    });
    const codecs = RTCRtpSender.getCapabilities("video")?.codecs ?? [];
    if (codecs.length > 0 && !hasH264(codecs)) throw new RtcRefused("no_h264", null, "");
    video.setCodecPreferences(preferH264(codecs));
    if (this.options.audio) {
      peer.addTransceiver(this.options.audio, { direction: "sendonly", streams: [stream] });
    }
    return video.sender;
  }

  private watch(peer: RTCPeerConnection): void {
    window.clearTimeout(this.watchTimer);
    const giveUpAfter = (delay_ms: number) => {
      window.clearTimeout(this.watchTimer);
      this.watchTimer = window.setTimeout(() => {
        if (peer === this.peer && peer.connectionState !== "connected") {
          this.failed(new RtcRefused("network", null, "connection lost"));
        }
      }, delay_ms);
    };
    giveUpAfter(CONNECT_DEADLINE_MS);
    peer.addEventListener("connectionstatechange", () => {
      if (peer !== this.peer) return;
      if (peer.connectionState === "connected") {
        window.clearTimeout(this.watchTimer);
        this.attempt = 0;
        this.hasBeenLive = true;
        this.options.onState("live", null);
      } else if (peer.connectionState === "disconnected") {
        giveUpAfter(DISCONNECTED_PATIENCE_MS);
      } else if (peer.connectionState === "failed" || peer.connectionState === "closed") {
        this.failed(new RtcRefused("network", null, "connection failed"));
      }
    });
  }

  private failed(error: unknown): void {
    const refused =
      error instanceof RtcRefused
        ? error
        : new RtcRefused("server", null, error instanceof Error ? error.message : String(error));
    this.drop();
    if (this.isStopped) return;
    const plan = planRetry(refused.failure, this.attempt, Math.random(), refused.retryAfter_s);
    if (plan.action === "stop") {
      this.options.onState("failed", refused.failure);
      return;
    }
    this.attempt += 1;
    this.options.onState(this.hasBeenLive ? "reconnecting" : "connecting", refused.failure);
    window.clearTimeout(this.retryTimer);
    this.retryTimer = window.setTimeout(() => void this.connect(), plan.delay_ms);
  }

  private drop(): void {
    window.clearTimeout(this.watchTimer);
    const { peer, sessionUrl } = this;
    this.peer = null;
    this.sessionUrl = null;
    this.last = null;
    if (sessionUrl) deleteSession(sessionUrl, this.options.token);
    peer?.close();
  }
}

/** A resolution change would start a new epoch for every viewer, so quality gives way first. */
async function capSender(sender: RTCRtpSender): Promise<void> {
  const parameters = sender.getParameters();
  parameters.degradationPreference = "maintain-resolution";
  for (const encoding of parameters.encodings) {
    encoding.maxBitrate = MAX_VIDEO_BPS;
    encoding.maxFramerate = 25;
    encoding.priority = "high";
    encoding.networkPriority = "high";
  }
  await sender.setParameters(parameters);
}
