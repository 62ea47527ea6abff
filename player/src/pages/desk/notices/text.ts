/** A notice's text as its editor types it: paragraphs, an empty line between them. Pure. */

const ESCAPES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
const BLOCKS = new Set(["P", "DIV", "LI", "H1", "H2", "H3", "H4", "BLOCKQUOTE", "TR"]);

/** Markup of what was typed. */
export function toMarkup(text: string): string {
  return text
    .replace(/\r\n?/g, "\n")
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.trim())
    .filter((paragraph) => paragraph !== "")
    .map((paragraph) => paragraph.replace(/[&<>]/g, (sign) => ESCAPES[sign] ?? sign))
    .map((paragraph) => `<p>${paragraph.replace(/\n/g, "<br>")}</p>`)
    .join("");
}

/** What an editor types to get this markup, as far as paragraphs go. */
export function toText(markup: string): string {
  const parts: string[] = [];
  collect(new DOMParser().parseFromString(markup, "text/html").body, parts);
  return parts
    .join("")
    .replace(/[ \t]*\n[ \t]*/g, "\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

function collect(node: Node, parts: string[]): void {
  for (const child of Array.from(node.childNodes)) {
    if (child.nodeType === Node.TEXT_NODE)
      parts.push((child.textContent ?? "").replace(/\s+/g, " "));
    else if (child.nodeName === "BR") parts.push("\n");
    else {
      collect(child, parts);
      if (BLOCKS.has(child.nodeName)) parts.push("\n\n");
    }
  }
}

/** Whether typing would lose something: links, lists, emphasis. */
export function hasFormat(markup: string): boolean {
  const all = new DOMParser().parseFromString(markup, "text/html").body.querySelectorAll("*");
  return Array.from(all).some((element) => element.nodeName !== "P" && element.nodeName !== "BR");
}
