import { describe, expect, it } from "vitest";
import { isOver, isSameFile, looksLikeMedia, nextToStart, titleOf } from "@/media/upload/queue";
import {
  formatBytes,
  nextChunkBytes,
  secondsLeft,
  speedOf,
  withReading,
  type Reading,
} from "@/media/upload/rate";
import { parseRemembered } from "@/media/upload/remembered";
import { checksumOf, problemOf } from "@/media/upload/transfer";

const MIB = 1024 * 1024;

describe("the queue of uploads", () => {
  const item = (key: string, state: "waiting" | "sending" | "paused" | "done") => ({ key, state });

  it("sends three at once, first come first served", () => {
    const items = ["a", "b", "c", "d", "e"].map((key) => item(key, "waiting"));
    expect(nextToStart(items)).toEqual(["a", "b", "c"]);
    expect(nextToStart([item("x", "sending"), item("y", "sending"), ...items])).toEqual(["a"]);
    expect(nextToStart([item("p", "paused"), item("q", "done"), ...items], 1)).toEqual(["a"]);
  });
  it("knows what is over", () => {
    expect(["done", "duplicate", "refused"].every((state) => isOver(state as "done"))).toBe(true);
    expect(["waiting", "sending", "paused", "broken", "needs_file"].some((s) => isOver(s as "done"))).toBe(false); // prettier-ignore
  });
  it("knows a file again by name, size and date; the server tells no date", () => {
    const file = { name: "一.mp4", size: 5, lastModified: 9 };
    expect(isSameFile({ ...file }, file)).toBe(true);
    expect(isSameFile({ ...file, lastModified: null }, file)).toBe(true);
    expect(isSameFile({ ...file, lastModified: 8 }, file)).toBe(false);
    expect(isSameFile({ ...file, size: 6 }, file)).toBe(false);
  });
  it.each([
    ["第一讲_星星之火.mp4", "第一讲 星星之火"],
    ["讲课.final.MOV", "讲课.final"],
    [".mp4", ".mp4"],
    ["无后缀", "无后缀"],
  ])("makes a title of %s", (name, title) => {
    expect(titleOf(name)).toBe(title);
  });
  it("refuses what is no recording before its bytes travel", () => {
    expect(looksLikeMedia({ name: "a.docx", type: "application/msword" })).toBe(false);
    expect(looksLikeMedia({ name: "a.MTS", type: "" })).toBe(true);
    expect(looksLikeMedia({ name: "a", type: "audio/mp4" })).toBe(true);
  });
});

describe("speed of an upload", () => {
  it("is measured over the last seconds and starts again after a resend", () => {
    let readings: Reading[] = [];
    for (let second = 0; second <= 20; second += 1) {
      readings = withReading(readings, { at_ms: second * 1000, bytes: second * second * 1000 });
    }
    expect(readings[0]?.at_ms).toBe(12_000);
    expect(speedOf(readings)).toBeCloseTo((400_000 - 144_000) / 8, 3);
    expect(withReading(readings, { at_ms: 21_000, bytes: 5 })).toHaveLength(1);
  });
  it("says nothing while too little is known", () => {
    expect(speedOf([])).toBeNull();
    expect(speedOf([{ at_ms: 0, bytes: 0 }, { at_ms: 100, bytes: 9 }])).toBeNull(); // prettier-ignore
    expect(secondsLeft(1000, null)).toBeNull();
    expect(secondsLeft(1000, 0)).toBeNull();
    expect(secondsLeft(1001, 500)).toBe(3);
  });
  it("chooses chunks that a broken link can afford", () => {
    expect(nextChunkBytes(MIB, 1000)).toBe(6 * MIB);
    expect(nextChunkBytes(MIB, 60_000)).toBe(MIB);
    expect(nextChunkBytes(MIB, 10)).toBe(16 * MIB);
    expect(nextChunkBytes(0, 0)).toBe(MIB);
  });
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 KB"],
    [1536, "1.5 KB"],
    [734_003_200, "700 MB"],
    [16 * 2 ** 30, "16.0 GB"],
  ])("writes %d bytes as %s", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});

describe("remembered uploads", () => {
  const good = {
    ...{ key: "k", name: "a.mp4", size: 3, lastModified: 1, title: "一", seriesId: "" },
    ...{ visibility: "members", replaces: "", url: "/api/v1/uploads/u1" },
  };
  it.each([null, "", "{", "7", '[{"key":1}]', '[null, {"name":"x"}]'])("survive %s", (text) => {
    expect(parseRemembered(text)).toEqual([]);
  });
  it("come back as they were, a hundred at most", () => {
    expect(parseRemembered(JSON.stringify([good, { ...good, visibility: "all" }]))).toEqual([good]);
    const many = Array.from({ length: 150 }, () => good);
    expect(parseRemembered(JSON.stringify(many))).toHaveLength(100);
  });
});

describe("a transfer", () => {
  it("sends the digest of a chunk as tus wants it", async () => {
    const chunk = { arrayBuffer: () => Promise.resolve(new TextEncoder().encode("abc").buffer) };
    expect(await checksumOf(chunk as unknown as Blob)).toBe(
      "sha256 ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
    );
  });
  it("tells a refusal in the server's words, and a lost line as such", () => {
    const response = {
      getStatus: () => 413,
      getBody: () => '{"title":"文件太大","detail":"x"}',
      getHeader: () => undefined,
    };
    const refused = problemOf(Object.assign(new Error("tus"), { originalResponse: response }));
    expect([refused.kind, refused.status, refused.title]).toEqual(["invalid", 413, "文件太大"]);
    const page = { ...response, getStatus: () => 502, getBody: () => "<html>" };
    expect(problemOf(Object.assign(new Error("t"), { originalResponse: page })).kind).toBe("busy");
    expect(problemOf(new Error("network")).kind).toBe("offline");
  });
});
