/** One HLS source on one `<video>`: hls.js, or the browser's own player where MSE is missing. */
import type Hls from "hls.js";
import type { ErrorData, HlsConfig } from "hls.js";
import { remedyFor } from "./hlsErrors";

export interface QualityLevel {
  index: number;
  height: number;
  bitrate_bps: number;
  /** First part of its name: `avc1`, `av01`. */
  codec?: string;
}

export interface CaptionChoice {
  index: number;
  name: string;
  language: string;
  isDefault: boolean;
}

/** Words on the page's own clock: seconds of the element. */
export interface SpokenCue {
  start_s: number;
  end_s: number;
  text: string;
}

export interface HlsEvents {
  onReady: () => void;
  onCaptions: (choices: CaptionChoice[]) => void;
  onLevels: (levels: QualityLevel[], selected: number, isAuto: boolean) => void;
  /** EXT-X-ENDLIST was read in a playlist that was live before. */
  onEnded: () => void;
  onDenied: () => void;
  onUnsupported: () => void;
}

export interface HlsSource {
  url: string;
  isLive: boolean;
  start_s: number | null;
}

export interface LiveTiming {
  latency_s: number;
  /** Seconds behind the place where a newcomer would start. */
  behind_s: number;
}

const STABLE_MS = 10_000; // Faults older than this are forgiven.

function isAppleMobile(): boolean {
  return /iPhone|iPad|iPod/.test(navigator.userAgent);
}

/** Settings for two-hour lectures on thin links (reasons beside each). */
function engineConfig(source: HlsSource, workerPath: string): Partial<HlsConfig> {
  return {
    lowLatencyMode: true,
    // Catching up by playing 10 % faster; iPhones stutter when the rate changes.
    maxLiveSyncPlaybackRate: isAppleMobile() ? 1 : 1.1,
    backBufferLength: 90, // The default keeps everything: a long class would fill an old phone.
    capLevelToPlayerSize: true,
    startPosition: source.start_s ?? -1,
    renderTextTracksNatively: false, // The page draws them: its own size, above the controls.
    workerPath, // A file of our own instead of a blob: script, for a strict content policy.
    abrEwmaDefaultEstimate: 1_000_000,
    manifestLoadPolicy: {
      default: {
        maxTimeToFirstByteMs: 10_000,
        maxLoadTimeMs: 20_000,
        timeoutRetry: { maxNumRetry: 2, retryDelayMs: 500, maxRetryDelayMs: 4_000 },
        errorRetry: { maxNumRetry: 4, retryDelayMs: 500, maxRetryDelayMs: 4_000 },
      },
    },
  };
}

/** A segment may be read twice: the same cue is one cue. */
function mergeCues(known: readonly SpokenCue[], found: readonly SpokenCue[]): SpokenCue[] {
  const key = (cue: SpokenCue) => `${cue.start_s} ${cue.end_s} ${cue.text}`;
  const have = new Set(known.map(key));
  const merged = [...known, ...found.filter((cue) => !have.has(key(cue)))];
  return merged.sort((a, b) => a.start_s - b.start_s);
}

function captionTracks(video: HTMLVideoElement): TextTrack[] {
  return [...video.textTracks].filter((track) => ["captions", "subtitles"].includes(track.kind));
}

export class HlsSession {
  private engine: Hls | null = null;
  private isClosed = false;
  private wasLive = false;
  private mediaFaults = 0;
  private networkFaults = 0;
  private lastFaultAt = 0;
  private timer = 0;
  /** Cues of the tracks that were loaded, by the engine's name of the track. */
  private cues = new Map<string, SpokenCue[]>();

  constructor(
    private readonly video: HTMLVideoElement,
    private source: HlsSource,
    private readonly events: HlsEvents,
  ) {}

  async open(): Promise<void> {
    const [{ default: Engine }, { default: workerPath }] = await Promise.all([
      import("hls.js"),
      import("hls.js/dist/hls.worker.js?url"),
    ]);
    if (this.isClosed) return;
    // Chromium answers "maybe" for native HLS, so MSE decides, never canPlayType.
    if (!Engine.isSupported()) {
      this.openNative();
      return;
    }
    const engine = new Engine(engineConfig(this.source, workerPath));
    this.engine = engine;
    engine.on(Engine.Events.MANIFEST_PARSED, () => {
      this.events.onReady();
      this.reportLevels();
    });
    engine.on(Engine.Events.CUES_PARSED, (_name, data) => {
      const found = (data.cues as VTTCue[]).map((cue) => ({
        start_s: cue.startTime,
        end_s: cue.endTime,
        text: cue.text,
      }));
      this.cues.set(data.track, mergeCues(this.cues.get(data.track) ?? [], found));
    });
    engine.on(Engine.Events.SUBTITLE_TRACKS_UPDATED, (_name, data) => {
      this.events.onCaptions(
        data.subtitleTracks.map((track, index) => ({
          index,
          name: track.name,
          language: track.lang ?? "",
          isDefault: track.default,
        })),
      );
    });
    engine.on(Engine.Events.LEVEL_SWITCHED, () => {
      this.reportLevels();
    });
    engine.on(Engine.Events.LEVEL_UPDATED, (_name, data) => {
      if (data.details.live) this.wasLive = true;
      else if (this.wasLive) {
        this.wasLive = false;
        this.events.onEnded();
      }
    });
    engine.on(Engine.Events.FRAG_BUFFERED, () => {
      this.networkFaults = 0;
    });
    engine.on(Engine.Events.ERROR, (_name, data) => {
      this.heal(data);
    });
    engine.attachMedia(this.video);
    engine.loadSource(this.source.url);
  }

  /** Play something else on the same element, e.g. the replay after the class. */
  async switchTo(source: HlsSource): Promise<void> {
    this.teardown();
    this.source = source;
    this.wasLive = false;
    this.mediaFaults = 0;
    this.networkFaults = 0;
    await this.open();
  }

  get timing(): LiveTiming | null {
    const engine = this.engine;
    if (!engine || !this.source.isLive) return null;
    const edge = engine.liveSyncPosition ?? this.seekableEnd();
    if (edge === null) return null;
    return { latency_s: engine.latency, behind_s: Math.max(0, edge - this.video.currentTime) };
  }

  goLive(): void {
    const edge = this.engine?.liveSyncPosition ?? this.seekableEnd();
    if (edge !== null && edge !== undefined) this.video.currentTime = edge;
  }

  /** -1 is automatic. */
  selectLevel(index: number): void {
    if (this.engine) this.engine.nextLevel = index;
    this.reportLevels();
  }

  /** Load one track of captions, or none (-1). The page draws the words itself. */
  selectCaptions(index: number): void {
    if (this.engine) {
      this.engine.subtitleTrack = index;
      return;
    }
    captionTracks(this.video).forEach((track, at) => {
      track.mode = at === index ? "showing" : "disabled"; // The phone's own player draws them.
    });
  }

  /** What is being said at a time, of one track. */
  wordsAt(index: number, at_s: number): string {
    const track = this.engine?.subtitleTracks[index];
    if (!track) return "";
    const cues = this.cues.get(track.default ? "default" : `subtitles${index}`) ?? [];
    return cues
      .filter((cue) => cue.start_s <= at_s && at_s < cue.end_s)
      .map((cue) => cue.text)
      .join("\n");
  }

  /** The network or the publisher is back: look now instead of at the next retry. */
  nudge(): void {
    this.engine?.startLoad();
  }

  close(): void {
    this.isClosed = true;
    this.teardown();
  }

  private teardown(): void {
    window.clearTimeout(this.timer);
    this.engine?.destroy();
    this.engine = null;
    this.cues.clear();
    this.video.removeAttribute("src");
    this.video.load();
  }

  private openNative(): void {
    if (this.video.canPlayType("application/vnd.apple.mpegurl") === "") {
      this.events.onUnsupported();
      return;
    }
    this.video.src = this.source.url;
    this.video.addEventListener(
      "loadedmetadata",
      () => {
        if (this.source.start_s !== null) this.video.currentTime = this.source.start_s;
        this.events.onReady();
        this.events.onCaptions(
          captionTracks(this.video).map((track, index) => ({
            index,
            name: track.label,
            language: track.language,
            isDefault: track.mode === "showing",
          })),
        );
      },
      { once: true },
    );
    this.video.addEventListener("durationchange", () => {
      if (this.source.isLive && Number.isFinite(this.video.duration) && this.wasLive) {
        this.events.onEnded();
      }
      this.wasLive = this.source.isLive && !Number.isFinite(this.video.duration);
    });
  }

  private heal(data: ErrorData): void {
    const now = performance.now();
    if (now - this.lastFaultAt > STABLE_MS) this.mediaFaults = 0;
    const remedy = remedyFor(
      {
        type: data.type,
        details: data.details,
        isFatal: data.fatal,
        status: data.response?.code ?? 0,
      },
      this.mediaFaults,
      this.networkFaults,
    );
    if (remedy.action === "ignore") return;
    this.lastFaultAt = now;
    window.clearTimeout(this.timer);
    switch (remedy.action) {
      case "reload":
        this.networkFaults += 1;
        this.timer = window.setTimeout(() => this.engine?.startLoad(), remedy.delay_ms);
        return;
      case "recover_media":
        this.mediaFaults += 1;
        this.engine?.recoverMediaError();
        return;
      case "swap_audio_and_recover":
        this.mediaFaults += 1;
        this.engine?.swapAudioCodec();
        this.engine?.recoverMediaError();
        return;
      case "rebuild":
        this.networkFaults += 1;
        this.timer = window.setTimeout(() => void this.rebuild(), remedy.delay_ms);
        return;
      case "give_up":
        if (remedy.why === "denied") this.events.onDenied();
        else this.events.onUnsupported();
    }
  }

  private async rebuild(): Promise<void> {
    if (this.isClosed) return;
    const at_s = this.video.currentTime;
    const faults = this.networkFaults;
    await this.switchTo({
      ...this.source,
      start_s: this.source.isLive || at_s === 0 ? this.source.start_s : at_s,
    });
    this.networkFaults = faults;
  }

  private reportLevels(): void {
    const engine = this.engine;
    if (!engine) return;
    const levels = engine.levels.map((level, index) => ({
      index,
      height: level.height,
      bitrate_bps: level.bitrate,
      codec: level.videoCodec?.split(".")[0],
    }));
    this.events.onLevels(levels, engine.currentLevel, engine.autoLevelEnabled);
  }

  private seekableEnd(): number | null {
    const ranges = this.video.seekable;
    return ranges.length === 0 ? null : ranges.end(ranges.length - 1);
  }
}
