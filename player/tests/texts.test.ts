import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { en } from "@/app/locales/en";
import { zhCN } from "@/app/locales/zh-CN";

function flat(value: object, prefix = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, item] of Object.entries(value) as [string, string | object][]) {
    if (typeof item === "string") found.set(prefix + key, item);
    else for (const [name, text] of flat(item, `${prefix}${key}.`)) found.set(name, text);
  }
  return found;
}
const chinese = flat(zhCN);
const english = flat(en);

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "locales" ? [] : sources(path);
    return /\.(vue|ts)$/.test(entry.name) ? [readFileSync(path, "utf8")] : [];
  });
}

describe("texts", () => {
  it("exist in both languages with the same blanks", () => {
    const blanks = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();
    expect([...english.keys()]).toEqual([...chinese.keys()]);
    for (const [key, text] of chinese)
      expect([key, blanks(english.get(key) ?? "")]).toEqual([key, blanks(text)]);
  });
  it("has every key that a page asks for", () => {
    const used = sources("src").flatMap((source) =>
      [...source.matchAll(/\bt\(\s*["'`]([\w.]+(?:-[\w.]+)*)["'`]/g)].map(
        (match) => match[1] ?? "",
      ),
    );
    expect(used.length).toBeGreaterThan(150);
    expect(used.filter((key) => !chinese.has(key))).toEqual([]);
  });
  it("uses no words of the glossary's ban", () => {
    expect([...english.values()].filter((text) => /master playlist|\bvideo\b/i.test(text))).toEqual(
      [],
    );
  });
});
