/** Reading a page aloud with the browser's own voice. */

const MAX_CHARS = 160; // Chromium falls silent in longer utterances.

/** Pure: sentences of speakable length, in order. */
export function splitForSpeech(text: string, maxChars = MAX_CHARS): string[] {
  const sentences = text
    .replace(/[ \t]+/g, " ")
    .split(/(?<=[。！？!?；;\n])/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const pieces: string[] = [];
  for (const sentence of sentences) {
    for (let at = 0; at < sentence.length; at += maxChars) {
      pieces.push(sentence.slice(at, at + maxChars));
    }
  }
  return pieces;
}

/** What a listener wants to hear: headings and text of `main`, not buttons and forms. */
export function speakableText(main: HTMLElement): string {
  const copy = main.cloneNode(true) as HTMLElement;
  copy
    .querySelectorAll(
      "button, input, select, textarea, media-controller, [aria-hidden='true'], .visually-hidden",
    )
    .forEach((element) => {
      element.remove();
    });
  copy.querySelectorAll("h1, h2, h3, p, li, a, dt, dd, span").forEach((element) => {
    element.append(element.matches("span") ? " " : "。\n");
  });
  return (copy.textContent ?? "").replace(/(。\s*)+/g, "。\n");
}

export function canSpeak(): boolean {
  return "speechSynthesis" in window && "SpeechSynthesisUtterance" in window;
}

export function speak(text: string, lang: string, onDone: () => void): void {
  const pieces = splitForSpeech(text);
  speechSynthesis.cancel();
  pieces.forEach((piece, index) => {
    const utterance = new SpeechSynthesisUtterance(piece);
    utterance.lang = lang;
    utterance.rate = 0.9; // Unhurried.
    if (index === pieces.length - 1) utterance.onend = onDone;
    utterance.onerror = onDone;
    speechSynthesis.speak(utterance);
  });
  if (pieces.length === 0) onDone();
}

export function stopSpeaking(): void {
  if (canSpeak()) speechSynthesis.cancel();
}
