/** Which part of the picture an upright clip shows. Pure. */

export const UPRIGHT = 9 / 16;

export interface Frame {
  /** Width by height of the picture. */
  aspect: number;
  /** All in percent of the picture. */
  left: number;
  top: number;
  width: number;
  height: number;
}

/** The largest 9:16 in a picture, `percent` of the way from its left edge to its right one. */
export function frameOf(width: number, height: number, percent: number): Frame {
  const aspect = width / height;
  const share = Math.min(1, UPRIGHT / aspect);
  const tall = Math.min(1, aspect / UPRIGHT);
  return {
    aspect,
    left: (1 - share) * percent,
    top: ((1 - tall) / 2) * 100,
    width: share * 100,
    height: tall * 100,
  };
}

export const MIN_CLIP_S = 1;
export const MAX_CLIP_S = 600;

export function isClip(start_s: number | null, end_s: number | null): boolean {
  if (start_s === null || end_s === null) return false;
  const length_s = end_s - start_s;
  return length_s >= MIN_CLIP_S && length_s <= MAX_CLIP_S;
}
