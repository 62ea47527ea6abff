/** Drawing of the timeline. Thin: numbers come from the pure parts. */
import type { Range } from "@/media/cuts";
import { peakBetween, tileAt, type Tile, type Waveform } from "@/media/storyboard";

export interface TimelineScene {
  width: number;
  height: number;
  window: Range;
  waveform: Waveform | null;
  tiles: readonly Tile[];
  cuts: readonly Range[];
  pending_s: number | null;
  at_s: number;
}

const STRIP_SHARE = 0.55; // Pictures above, loudness below.
const COLUMN_PX = 3;

export function drawTimeline(
  context: CanvasRenderingContext2D,
  scene: TimelineScene,
  imageOf: (url: string) => HTMLImageElement | null,
): void {
  const { width, height } = scene;
  const strip = scene.tiles.length > 0 ? Math.round(height * STRIP_SHARE) : 0;
  context.fillStyle = "#1d1916";
  context.fillRect(0, 0, width, height);
  drawStrip(context, scene, strip, imageOf);
  drawWave(context, scene, strip);
  for (const cut of scene.cuts) shade(context, scene, cut);
  if (scene.pending_s !== null) mark(context, scene, scene.pending_s, "#ffd27a");
  mark(context, scene, scene.at_s, "#ffffff");
}

function xOf(scene: TimelineScene, at_s: number): number {
  const { start_s, end_s } = scene.window;
  return ((at_s - start_s) / Math.max(0.001, end_s - start_s)) * scene.width;
}

function drawStrip(
  context: CanvasRenderingContext2D,
  scene: TimelineScene,
  strip: number,
  imageOf: (url: string) => HTMLImageElement | null,
): void {
  const first = scene.tiles[0];
  if (strip === 0 || !first) return;
  const wide = Math.max(24, Math.round((strip * first.width) / Math.max(1, first.height)));
  const span_s = scene.window.end_s - scene.window.start_s;
  for (let x = 0; x < scene.width; x += wide) {
    const at_s = scene.window.start_s + (span_s * (x + wide / 2)) / scene.width;
    const tile = tileAt(scene.tiles, at_s);
    const image = tile ? imageOf(tile.url) : null;
    if (tile && image) {
      context.drawImage(image, tile.x, tile.y, tile.width, tile.height, x, 0, wide, strip);
    }
  }
}

function drawWave(context: CanvasRenderingContext2D, scene: TimelineScene, top: number): void {
  if (!scene.waveform) return;
  const middle = top + (scene.height - top) / 2;
  const reach = (scene.height - top) / 2 - 2;
  const step_s = ((scene.window.end_s - scene.window.start_s) * COLUMN_PX) / scene.width;
  context.fillStyle = "#8fc3a5";
  for (let x = 0; x < scene.width; x += COLUMN_PX) {
    const from_s = scene.window.start_s + (step_s * x) / COLUMN_PX;
    const half = Math.max(1, peakBetween(scene.waveform, from_s, from_s + step_s) * reach);
    context.fillRect(x, middle - half, COLUMN_PX - 1, half * 2);
  }
}

function shade(context: CanvasRenderingContext2D, scene: TimelineScene, cut: Range): void {
  const left = xOf(scene, cut.start_s);
  const right = xOf(scene, cut.end_s);
  context.fillStyle = "rgb(180 35 42 / 62%)";
  context.fillRect(left, 0, right - left, scene.height);
  context.fillStyle = "#ffb3ad";
  context.fillRect(left, 0, 2, scene.height);
  context.fillRect(right - 2, 0, 2, scene.height);
}

function mark(
  context: CanvasRenderingContext2D,
  scene: TimelineScene,
  at_s: number,
  colour: string,
): void {
  context.fillStyle = colour;
  context.fillRect(Math.round(xOf(scene, at_s)) - 1, 0, 3, scene.height);
}
