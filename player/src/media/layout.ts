/** Where camera and screen go in the published picture. Pure, pixels. */

export type SceneMode = "camera" | "screen" | "both" | "away";

export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

export const OUTPUT = { width: 1280, height: 720, fps: 25 } as const;
const INSET_SHARE = 0.22; // Of the width: a face stays readable on a phone, slides stay free.
const MARGIN_PX = 24;

/** The largest rectangle of the source's shape inside `box`, centred. */
export function contain(source: { width: number; height: number }, box: Rect): Rect {
  if (source.width <= 0 || source.height <= 0) return box;
  const scale = Math.min(box.width / source.width, box.height / source.height);
  const width = source.width * scale;
  const height = source.height * scale;
  return {
    x: box.x + (box.width - width) / 2,
    y: box.y + (box.height - height) / 2,
    width,
    height,
  };
}

/** The middle part of the source that fills a box of shape `aspect` without bars. */
export function cover(source: { width: number; height: number }, aspect: number): Rect {
  if (source.width <= 0 || source.height <= 0) return { x: 0, y: 0, width: 0, height: 0 };
  const isWider = source.width / source.height > aspect;
  const width = isWider ? source.height * aspect : source.width;
  const height = isWider ? source.height : source.width / aspect;
  return { x: (source.width - width) / 2, y: (source.height - height) / 2, width, height };
}

export interface Scene {
  full: "camera" | "screen" | null;
  inset: Rect | null;
}

/** What is drawn, given what there is: a missing source never leaves the picture empty. */
export function sceneOf(mode: SceneMode, hasCamera: boolean, hasScreen: boolean): Scene {
  const width = Math.round(OUTPUT.width * INSET_SHARE);
  const height = Math.round((width * 9) / 16);
  const inset: Rect = {
    x: OUTPUT.width - width - MARGIN_PX,
    y: OUTPUT.height - height - MARGIN_PX,
    width,
    height,
  };
  if (mode === "away") return { full: null, inset: null };
  if (mode === "camera") return { full: hasCamera ? "camera" : null, inset: null };
  if (mode === "screen") return { full: hasScreen ? "screen" : null, inset: null };
  if (hasScreen) return { full: "screen", inset: hasCamera ? inset : null };
  return { full: hasCamera ? "camera" : null, inset: null };
}
