/** Pure: what a new contest begins with, and lines of a text field. */

export const DEFAULT_CATEGORIES: readonly string[] = [
  "典型事迹片",
  "微视频",
  "纪录片",
  "培训片",
  "文艺片",
  "新媒体课件",
  "视频党课",
];
export const DEFAULT_CRITERIA: readonly { name: string; weight: number }[] = [
  { name: "主题内容", weight: 40 },
  { name: "艺术表现", weight: 30 },
  { name: "制作水平", weight: 30 },
];

/** Each line once, without what is empty. */
export function splitLines(text: string): string[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  return [...new Set(lines.filter((line) => line !== ""))];
}
