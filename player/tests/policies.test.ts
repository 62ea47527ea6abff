import { describe, expect, it } from "vitest";
import { can, canSomewhere, cityRole } from "@/app/abilities";
import { mainItems, tabItems } from "@/app/navigation";
import { safeNext } from "@/app/router";
import { splitForSpeech } from "@/app/readAloud";
import { posterHue } from "@/components/poster";
import { choicesOf, simpleChoices } from "@/components/player/quality";
import { remedyFor, type HlsFault } from "@/media/hlsErrors";
import { playerKey } from "@/media/keys";
import { contain, cover, OUTPUT, sceneOf } from "@/media/layout";
import { failureOfStatus, planRetry, retryDelay_ms } from "@/media/reconnect";
import { hasH264, parseIceLinks, preferH264, withStartBitrate } from "@/media/sdp";
import { meterShare, toDbfs } from "@/media/sound";
import { generatePassword } from "@/pages/admin/password";
import { captureFailure } from "@/pages/studio/useCapture";
import { sortUnits } from "@/pages/desk/jobs/jobs";
import type { Unit } from "@/api/types";

describe("reconnecting a publisher", () => {
  it("backs off from half a second to eight, and never in step", () => {
    expect(retryDelay_ms(0, 0.5)).toBe(500);
    expect(retryDelay_ms(3, 0.5)).toBe(4000);
    expect(retryDelay_ms(50, 0.5)).toBe(8000);
    expect(retryDelay_ms(2, 0)).toBeLessThan(retryDelay_ms(2, 1));
  });
  it.each([
    [201, null],
    [401, "refused"],
    [403, "refused"],
    [404, "gone"],
    [406, "no_h264"],
    [409, "taken"],
    [503, "server"],
    [0, "network"],
  ])("HTTP %s means %s", (status, failure) => {
    expect(failureOfStatus(status)).toBe(failure);
  });
  it("stops where trying again cannot help", () => {
    for (const failure of ["refused", "gone", "no_h264"] as const)
      expect(planRetry(failure, 0, 0.5)).toEqual({ action: "stop" });
  });
  it("waits as long as the server says", () => {
    expect(planRetry("taken", 0, 0.5, 60)).toEqual({ action: "retry", delay_ms: 60_000 });
    expect(planRetry("server", 9, 0.5, 2)).toEqual({ action: "retry", delay_ms: 2_000 });
    expect(planRetry("network", 0, 0.5)).toEqual({ action: "retry", delay_ms: 500 });
  });
});

describe("errors of the HLS engine", () => {
  const fault = (more: Partial<HlsFault>): HlsFault => ({
    type: "networkError",
    details: "levelLoadError",
    isFatal: true,
    status: 0,
    ...more,
  });
  it("leaves what the engine repairs itself", () => {
    expect(remedyFor(fault({ isFatal: false }), 0, 0).action).toBe("ignore");
  });
  it("never gives up on the network while the class may come back", () => {
    for (let count = 0; count < 40; count += 1) {
      const remedy = remedyFor(fault({}), 0, count);
      expect(remedy.action).toBe("reload");
      if (remedy.action === "reload") expect(remedy.delay_ms).toBeLessThanOrEqual(8_000);
    }
  });
  it("rebuilds when even the first playlist is missing", () => {
    expect(remedyFor(fault({ details: "manifestLoadError", status: 503 }), 0, 1).action).toBe(
      "rebuild",
    );
  });
  it("tries media repair in three steps", () => {
    const media = fault({ type: "mediaError", details: "bufferAppendError" });
    expect([0, 1, 2].map((count) => remedyFor(media, count, 0).action)).toEqual([
      "recover_media",
      "swap_audio_and_recover",
      "rebuild",
    ]);
  });
  it("says so when rights are missing, even for a quiet error", () => {
    expect(remedyFor(fault({ status: 403, isFatal: false }), 0, 0)).toEqual({
      action: "give_up",
      why: "denied",
    });
  });
});

describe("keys of the player", () => {
  const press = (key: string, tag = "div", role: string | null = null, more = {}) =>
    playerKey(
      { key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more },
      tag,
      role,
    );
  it.each([
    [" ", { action: "toggle" }],
    ["ArrowLeft", { action: "seek", by_s: -10 }],
    ["ArrowRight", { action: "seek", by_s: 10 }],
    ["m", { action: "mute" }],
    ["f", { action: "fullscreen" }],
    ["c", { action: "captions" }],
    ["x", null],
  ])("%s", (key, wanted) => {
    expect(press(key)).toEqual(wanted);
  });
  it("leaves keys to the control that has the focus", () => {
    expect(press(" ", "button")).toBeNull();
    expect(press("ArrowLeft", "div", "slider")).toBeNull();
    expect(press("m", "input")).toBeNull();
    expect(press("f", "div", null, { ctrlKey: true })).toBeNull();
  });
});

describe("picture of the studio", () => {
  it("never leaves it empty when there is a source", () => {
    expect(sceneOf("both", true, false).full).toBe("camera");
    expect(sceneOf("both", false, true)).toEqual({ full: "screen", inset: null });
    expect(sceneOf("away", true, true).full).toBeNull();
  });
  it("keeps the inset inside the picture", () => {
    const { inset } = sceneOf("both", true, true);
    expect(inset).not.toBeNull();
    if (!inset) return;
    expect(inset.x + inset.width).toBeLessThanOrEqual(OUTPUT.width);
    expect(inset.y + inset.height).toBeLessThanOrEqual(OUTPUT.height);
  });
  it("fits without distortion", () => {
    const box = { x: 0, y: 0, width: 1280, height: 720 };
    const tall = contain({ width: 600, height: 800 }, box);
    expect(tall.width / tall.height).toBeCloseTo(0.75);
    expect(tall.height).toBe(720);
    const part = cover({ width: 640, height: 480 }, 16 / 9);
    expect(part.width / part.height).toBeCloseTo(16 / 9);
    expect(part).toMatchObject({ x: 0, width: 640 });
  });
});

describe("session descriptions", () => {
  const SDP = [
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102",
    "a=rtpmap:96 VP8/90000",
    "a=fmtp:96 x=1",
    "a=rtpmap:102 H264/90000",
    "a=fmtp:102 packetization-mode=1;profile-level-id=42e01f",
    "",
  ].join("\r\n");
  it("sets the start bitrate for H.264 only, once", () => {
    const once = withStartBitrate(SDP, 1500);
    expect(once).toContain(
      "a=fmtp:102 packetization-mode=1;profile-level-id=42e01f;x-google-start-bitrate=1500",
    );
    expect(once).toContain("a=fmtp:96 x=1\r\n");
    expect(withStartBitrate(once, 900)).toBe(once);
  });
  it("offers H.264 first, mode 1 before 0, and loses nothing", () => {
    const codecs = [
      { mimeType: "video/VP8" },
      { mimeType: "video/H264", sdpFmtpLine: "packetization-mode=0" },
      { mimeType: "video/rtx" },
      { mimeType: "video/H264", sdpFmtpLine: "packetization-mode=1" },
    ];
    const sorted = preferH264(codecs);
    expect(sorted[0]).toBe(codecs[3]);
    expect(sorted[1]).toBe(codecs[1]);
    expect(sorted).toHaveLength(4);
    expect(hasH264([{ mimeType: "video/VP8" }])).toBe(false);
  });
  it("reads ICE servers from Link headers", () => {
    expect(
      parseIceLinks(
        '<stun:a:3478>; rel="ice-server", <turn:b>; rel="ice-server"; username="u"; credential="c"',
      ),
    ).toEqual([{ urls: "stun:a:3478" }, { urls: "turn:b", username: "u", credential: "c" }]);
    expect(parseIceLinks(null)).toEqual([]);
  });
});

describe("small policies", () => {
  it("measures sound on a floor of -60 dB", () => {
    expect(toDbfs(0)).toBe(-60);
    expect(toDbfs(1)).toBe(0);
    expect(meterShare(-60)).toBe(0);
    expect(meterShare(6)).toBe(1);
  });
  it("names what is wrong with a device", () => {
    expect(captureFailure("NotAllowedError")).toBe("denied");
    expect(captureFailure("NotFoundError")).toBe("missing");
    expect(captureFailure("NotReadableError")).toBe("in_use");
    expect(captureFailure("Whatever")).toBe("other");
  });
  it("shows doors only to those who may open them", () => {
    expect(mainItems(null).map((item) => item.section)).toEqual([
      "home",
      "live",
      "library",
      "series",
      "channels",
    ]);
    expect(mainItems("instructor").map((item) => item.section)).toContain("studio");
    expect(mainItems("instructor").find((item) => item.section === "desk")?.to).toBe(
      "/desk/uploads",
    );
    expect(mainItems("editor").find((item) => item.section === "desk")?.to).toBe("/desk");
    expect(mainItems("admin").map((item) => item.section)).toContain("admin");
    expect(can("member", "teach")).toBe(false);
    expect(mainItems("member", ["editor"]).find((item) => item.section === "desk")?.to).toBe(
      "/desk/menus",
    );
    expect(cityRole("editor", ["editor"])).toBe("member");
    expect(cityRole("editor", ["unit_admin"])).toBe("editor");
    expect(canSomewhere(["editor"], "curate")).toBe(true);
    expect(canSomewhere(["editor"], "edit")).toBe(false);
    expect(tabItems(false)).toHaveLength(4);
    expect(tabItems(false)[3]?.to).toBe("/signin");
  });
  it("goes only to pages of this site after signing in", () => {
    expect(safeNext("/studio/abc?x=1")).toBe("/studio/abc?x=1");
    for (const bad of ["//evil.example", "https://evil.example", "/\\evil.example", undefined, 7])
      expect(safeNext(bad)).toBe("/");
  });
  it("offers every rung, best first", () => {
    const levels = [
      { index: 0, height: 360, bitrate_bps: 600_000 },
      { index: 1, height: 720, bitrate_bps: 1_500_000 },
      { index: 2, height: 720, bitrate_bps: 2_500_000 },
    ];
    expect(choicesOf(levels).map((choice) => choice.index)).toEqual([2, 1, 0]);
    expect(simpleChoices(choicesOf(levels))).toMatchObject({
      clear: { index: 2 },
      saving: { index: 0 },
    });
    expect(simpleChoices(choicesOf(levels.slice(0, 1)))).toBeNull();
  });
  it("offers the rungs of one codec, the one that plays", () => {
    const levels = [
      { index: 0, height: 240, bitrate_bps: 100_000, codec: "av01" },
      { index: 1, height: 240, bitrate_bps: 150_000, codec: "avc1" },
      { index: 2, height: 720, bitrate_bps: 900_000, codec: "av01" },
      { index: 3, height: 720, bitrate_bps: 1_500_000, codec: "avc1" },
    ];
    expect(choicesOf(levels, 3).map((choice) => choice.index)).toEqual([3, 1]);
    expect(choicesOf(levels).map((choice) => choice.index)).toEqual([2, 0]);
  });
  it("reads aloud in pieces a voice can finish", () => {
    const pieces = splitForSpeech(`第一句。第二句！${"很".repeat(400)}`);
    expect(pieces.slice(0, 2)).toEqual(["第一句。", "第二句！"]);
    expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThanOrEqual(160);
    expect(pieces.join("")).toHaveLength(408);
  });
  it("makes passwords without look-alikes", () => {
    let seed = 1;
    const password = generatePassword((bytes) => {
      for (let index = 0; index < bytes.length; index += 1)
        bytes[index] = seed = (seed * 73 + 41) % 256;
      return bytes;
    });
    expect(password).toMatch(/^[a-hjkmnp-z2-9]{4}-[a-hjkmnp-z2-9]{4}-[a-hjkmnp-z2-9]{4}$/);
  });
  it("paints the same poster for the same id", () => {
    expect(posterHue("abc")).toBe(posterHue("abc"));
    expect(
      new Set(Array.from({ length: 60 }, (_, index) => posterHue(`id-${index}`))).size,
    ).toBeGreaterThan(3);
  });
  it("puts units that need a person first", () => {
    const unit = (key: string, state: Unit["state"]) => ({ key, state }) as Unit;
    expect(
      sortUnits([unit("a", "done"), unit("b", "failed"), unit("c", "running")]).map(
        (one) => one.key,
      ),
    ).toEqual(["b", "c", "a"]);
  });
});
