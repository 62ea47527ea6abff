/** Camera and screen drawn into one picture of fixed size and rate, also in a hidden tab.
 *
 * Chromium: the worker reads camera and screen frames itself, draws, and writes the output track.
 * Elsewhere: the worker only keeps time, and the page draws on a canvas that is captured.
 */
import { contain, cover, OUTPUT, sceneOf, type SceneMode } from "./layout";

export type SourceName = "camera" | "screen";

export interface Compositor {
  readonly track: MediaStreamTrack;
  setSource: (name: SourceName, track: MediaStreamTrack | null) => void;
  setMode: (mode: SceneMode) => void;
  close: () => void;
}

export interface CompositorCard {
  title: string;
  subtitle: string;
}

interface TrackProcessor {
  readable: ReadableStream<VideoFrame>;
}
type TrackProcessorClass = new (init: { track: MediaStreamTrack }) => TrackProcessor;
type TrackGeneratorClass = new (init: {
  kind: "video";
}) => MediaStreamTrack & { writable: WritableStream<VideoFrame> };

function makeWorker(): Worker {
  return new Worker(new URL("./compositor.worker.ts", import.meta.url), { type: "module" });
}

export function createCompositor(mode: SceneMode, card: CompositorCard): Compositor {
  const scope = window as unknown as {
    MediaStreamTrackProcessor?: TrackProcessorClass;
    MediaStreamTrackGenerator?: TrackGeneratorClass;
  };
  const { MediaStreamTrackProcessor: Reader, MediaStreamTrackGenerator: Writer } = scope;
  return Reader && Writer
    ? new WorkerCompositor(Reader, new Writer({ kind: "video" }), mode, card)
    : new CanvasCompositor(mode, card);
}

class WorkerCompositor implements Compositor {
  private readonly worker = makeWorker();

  constructor(
    private readonly Reader: TrackProcessorClass,
    readonly track: MediaStreamTrack & { writable: WritableStream<VideoFrame> },
    mode: SceneMode,
    card: CompositorCard,
  ) {
    const writable = track.writable;
    this.worker.postMessage({ type: "start", writable, mode, card }, [writable]);
  }

  setSource(name: SourceName, track: MediaStreamTrack | null): void {
    if (track === null) {
      this.worker.postMessage({ type: "source", name, readable: null });
      return;
    }
    const { readable } = new this.Reader({ track });
    this.worker.postMessage({ type: "source", name, readable }, [readable]);
  }

  setMode(mode: SceneMode): void {
    this.worker.postMessage({ type: "mode", mode });
  }

  close(): void {
    this.track.stop();
    this.worker.terminate();
  }
}

class CanvasCompositor implements Compositor {
  readonly track: MediaStreamTrack;
  private readonly worker = makeWorker();
  private readonly canvas = document.createElement("canvas");
  private readonly context: CanvasRenderingContext2D;
  private readonly videos = new Map<SourceName, HTMLVideoElement>();

  constructor(
    private mode: SceneMode,
    private readonly card: CompositorCard,
  ) {
    this.canvas.width = OUTPUT.width;
    this.canvas.height = OUTPUT.height;
    const context = this.canvas.getContext("2d", { alpha: false });
    if (!context) throw new Error("no 2D canvas");
    this.context = context;
    this.draw();
    const [track] = this.canvas.captureStream(OUTPUT.fps).getVideoTracks();
    if (!track) throw new Error("canvas gives no track");
    this.track = track;
    this.worker.onmessage = () => {
      this.draw();
    };
    this.worker.postMessage({ type: "tick", every_ms: 1000 / OUTPUT.fps });
  }

  setSource(name: SourceName, track: MediaStreamTrack | null): void {
    const old = this.videos.get(name);
    if (old) old.srcObject = null;
    this.videos.delete(name);
    if (!track) return;
    const video = document.createElement("video");
    video.muted = true;
    video.playsInline = true;
    video.srcObject = new MediaStream([track]);
    void video.play();
    this.videos.set(name, video);
  }

  setMode(mode: SceneMode): void {
    this.mode = mode;
  }

  close(): void {
    this.worker.terminate();
    this.track.stop();
    for (const video of this.videos.values()) video.srcObject = null;
  }

  private draw(): void {
    const image = (name: SourceName): DrawSource | null => {
      const video = this.videos.get(name);
      if (!video || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return null;
      return { image: video, width: video.videoWidth, height: video.videoHeight };
    };
    drawScene(this.context, this.mode, image("camera"), image("screen"), this.card);
  }
}

export interface DrawSource {
  image: CanvasImageSource;
  width: number;
  height: number;
}

/** One frame. Runs on the page or in the worker. */
export function drawScene(
  context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D,
  mode: SceneMode,
  camera: DrawSource | null,
  screen: DrawSource | null,
  card: CompositorCard,
): void {
  const box = { x: 0, y: 0, width: OUTPUT.width, height: OUTPUT.height };
  const scene = sceneOf(mode, camera !== null, screen !== null);
  const full = scene.full === "camera" ? camera : scene.full === "screen" ? screen : null;
  context.fillStyle = "#14100e";
  context.fillRect(0, 0, box.width, box.height);
  if (!full) {
    drawCard(context, card);
    return;
  }
  const place = contain(full, box);
  context.drawImage(full.image, place.x, place.y, place.width, place.height);
  if (!scene.inset || !camera) return;
  const part = cover(camera, scene.inset.width / scene.inset.height);
  const { x, y, width, height } = scene.inset;
  context.save();
  context.beginPath();
  context.roundRect(x, y, width, height, 12);
  context.clip();
  context.drawImage(camera.image, part.x, part.y, part.width, part.height, x, y, width, height);
  context.restore();
}

function drawCard(
  context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D,
  card: CompositorCard,
): void {
  const fill = context.createLinearGradient(0, 0, OUTPUT.width, OUTPUT.height);
  fill.addColorStop(0, "#2a1513");
  fill.addColorStop(0.6, "#7d1a1f");
  fill.addColorStop(1, "#b4523b");
  context.fillStyle = fill;
  context.fillRect(0, 0, OUTPUT.width, OUTPUT.height);
  context.fillStyle = "#ffffff";
  context.textAlign = "center";
  context.font = "600 56px 'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif";
  context.fillText(card.title, OUTPUT.width / 2, OUTPUT.height / 2 - 10, OUTPUT.width - 160);
  context.font = "32px 'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif";
  context.fillText(card.subtitle, OUTPUT.width / 2, OUTPUT.height / 2 + 60, OUTPUT.width - 160);
}
