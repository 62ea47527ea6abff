/** Captions as a file that every player and editor reads. */
import type { Cue } from "@/api/pipeline";

/** Pure: SubRip text with a byte order mark, so that old players guess the encoding right. */
export function toSrt(cues: readonly Cue[]): string {
  const blocks = cues.map(
    (cue, index) =>
      `${index + 1}\r\n${srtTime(cue.start_ms)} --> ${srtTime(cue.end_ms)}\r\n${cue.text.replaceAll("\n", "\r\n")}\r\n`,
  );
  return `\ufeff${blocks.join("\r\n")}`;
}

function srtTime(at_ms: number): string {
  const pad = (value: number, digits: number) => String(Math.floor(value)).padStart(digits, "0");
  const hours = pad(at_ms / 3_600_000, 2);
  const minutes = pad((at_ms / 60_000) % 60, 2);
  return `${hours}:${minutes}:${pad((at_ms / 1000) % 60, 2)},${pad(at_ms % 1000, 3)}`;
}

/** Hand a text over as a download. */
export function saveText(filename: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/x-subrip" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = filename.replaceAll(/[\\/:*?"<>|]/g, "_");
  link.click();
  window.setTimeout(() => {
    URL.revokeObjectURL(url);
  }, 10_000);
}
