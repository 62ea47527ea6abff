/** The compositor's own thread: its clock is not slowed down when the tab is hidden. */
import { drawScene, type CompositorCard, type DrawSource, type SourceName } from "./compositor";
import { OUTPUT, type SceneMode } from "./layout";

type Command =
  | { type: "start"; writable: WritableStream<VideoFrame>; mode: SceneMode; card: CompositorCard }
  | { type: "source"; name: SourceName; readable: ReadableStream<VideoFrame> | null }
  | { type: "mode"; mode: SceneMode }
  | { type: "tick"; every_ms: number };

const FRAME_MS = 1000 / OUTPUT.fps;

const frames = new Map<SourceName, VideoFrame>();
const readers = new Map<SourceName, ReadableStreamDefaultReader<VideoFrame>>();
let mode: SceneMode = "away";
let card: CompositorCard = { title: "", subtitle: "" };

self.onmessage = (event: MessageEvent<Command>) => {
  const command = event.data;
  switch (command.type) {
    case "start":
      mode = command.mode;
      card = command.card;
      run(command.writable);
      return;
    case "source":
      void read(command.name, command.readable);
      return;
    case "mode":
      mode = command.mode;
      return;
    case "tick":
      setInterval(() => {
        self.postMessage("tick");
      }, command.every_ms);
  }
};

/** Keeps the newest frame only: one per source, older ones are closed at once. */
async function read(name: SourceName, readable: ReadableStream<VideoFrame> | null): Promise<void> {
  const old = readers.get(name);
  readers.delete(name);
  if (old) await old.cancel();
  keep(name, null);
  if (!readable) return;
  const reader = readable.getReader();
  readers.set(name, reader);
  for (;;) {
    const { done, value } = await reader.read();
    if (readers.get(name) !== reader) {
      value?.close();
      return;
    }
    if (done) break;
    keep(name, value);
  }
  keep(name, null); // The device was unplugged or sharing was stopped.
}

function keep(name: SourceName, frame: VideoFrame | null): void {
  frames.get(name)?.close();
  if (frame) frames.set(name, frame);
  else frames.delete(name);
}

function drawable(name: SourceName): DrawSource | null {
  const frame = frames.get(name);
  return frame ? { image: frame, width: frame.displayWidth, height: frame.displayHeight } : null;
}

/** A constant 25 fps on a drift-free clock; when the encoder lags, frames are dropped here. */
function run(writable: WritableStream<VideoFrame>): void {
  const canvas = new OffscreenCanvas(OUTPUT.width, OUTPUT.height);
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) throw new Error("no 2D canvas in the worker");
  const writer = writable.getWriter();
  const start_ms = performance.now();
  let count = 0;
  const next = () => {
    if ((writer.desiredSize ?? 1) > 0) {
      drawScene(context, mode, drawable("camera"), drawable("screen"), card);
      const timestamp = Math.round((performance.now() - start_ms) * 1000);
      writer.write(new VideoFrame(canvas, { timestamp, alpha: "discard" })).catch(() => {
        self.close(); // The output track was stopped.
      });
    }
    const elapsed_ms = performance.now() - start_ms;
    count = Math.max(count + 1, Math.floor(elapsed_ms / FRAME_MS));
    setTimeout(next, Math.max(0, count * FRAME_MS - elapsed_ms));
  };
  next();
}
