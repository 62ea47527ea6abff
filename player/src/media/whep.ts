/** Watching with sub-second delay: WHEP. Falls back by saying so; the page returns to HLS. */
import { completeOffer, deleteSession, postOffer } from "./rtcPost";

export interface ViewerOptions {
  url: string;
  iceServers: RTCIceServer[];
  video: HTMLVideoElement;
  onPlaying: () => void;
  /** The session cannot go on; called once. */
  onLost: () => void;
}

const FIRST_FRAME_DEADLINE_MS = 8_000;

export class WhepViewer {
  private peer: RTCPeerConnection | null = null;
  private sessionUrl: string | null = null;
  private isOver = false;
  private timer = 0;

  constructor(private readonly options: ViewerOptions) {}

  async start(): Promise<void> {
    const peer = new RTCPeerConnection({
      iceServers: this.options.iceServers,
      bundlePolicy: "max-bundle",
    });
    this.peer = peer;
    const stream = new MediaStream();
    peer.addTransceiver("video", { direction: "recvonly" });
    peer.addTransceiver("audio", { direction: "recvonly" });
    peer.addEventListener("track", (event) => {
      stream.addTrack(event.track);
    });
    peer.addEventListener("connectionstatechange", () => {
      if (["failed", "closed", "disconnected"].includes(peer.connectionState)) this.lose();
    });
    this.timer = window.setTimeout(() => {
      this.lose();
    }, FIRST_FRAME_DEADLINE_MS);
    this.options.video.srcObject = stream;
    this.options.video.addEventListener("playing", this.onPlaying, { once: true });
    try {
      const answer = await postOffer(this.options.url, await completeOffer(peer), null);
      this.sessionUrl = answer.sessionUrl;
      if (this.isOver) {
        this.close();
        return;
      }
      await peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
      await this.options.video.play();
    } catch (error) {
      // Refused, full, or blocked: whatever it was, HLS still works.
      if (error instanceof Error) this.lose();
      else throw error;
    }
  }

  close(): void {
    this.isOver = true;
    window.clearTimeout(this.timer);
    this.options.video.removeEventListener("playing", this.onPlaying);
    if (this.sessionUrl) deleteSession(this.sessionUrl, null);
    this.sessionUrl = null;
    this.peer?.close();
    this.peer = null;
    this.options.video.srcObject = null;
  }

  private readonly onPlaying = (): void => {
    window.clearTimeout(this.timer);
    this.options.onPlaying();
  };

  private lose(): void {
    if (this.isOver) return;
    this.close();
    this.options.onLost();
  }
}
