import { createPinia, setActivePinia } from "pinia";
import { beforeEach, describe, expect, it } from "vitest";
import { parsePreferences, usePreferences, withQuery } from "@/app/preferences";
import { isWorthResuming, loadPoints, parsePoints, savePoint, withPoint } from "@/media/resume";

describe("preferences", () => {
  beforeEach(() => {
    localStorage.clear();
    document.documentElement.className = "";
    setActivePinia(createPinia());
  });
  it("starts in Chinese, standard size", () => {
    expect(parsePreferences(null)).toEqual({ isElder: false, lang: "zh-CN" });
  });
  it.each(["", "null", "[1]", "{", '{"isElder":"yes","lang":"fr"}'])(
    "survives %s in the store",
    (text) => {
      expect(parsePreferences(text)).toEqual({ isElder: false, lang: "zh-CN" });
    },
  );
  it("lets the address win", () => {
    expect(withQuery({ isElder: false, lang: "zh-CN" }, "?elder=1&lang=en")).toEqual({
      isElder: true,
      lang: "en",
    });
    expect(withQuery({ isElder: true, lang: "en" }, "?elder=0&lang=zh")).toEqual({
      isElder: false,
      lang: "zh-CN",
    });
    expect(withQuery({ isElder: true, lang: "en" }, "?q=x")).toEqual({ isElder: true, lang: "en" });
  });
  it("is remembered and shown at once", () => {
    usePreferences().setElder(true);
    usePreferences().setLang("en");
    expect(document.documentElement.classList.contains("elder")).toBe(true);
    expect(document.documentElement.lang).toBe("en");
    setActivePinia(createPinia()); // The next visit.
    expect(usePreferences().isElder).toBe(true);
    expect(usePreferences().lang).toBe("en");
  });
});

describe("where one stopped", () => {
  const point = (lecture_id: string, position_s: number, saved_at = 1) => ({
    lecture_id,
    title: "第三讲",
    position_s,
    duration_s: 2400,
    saved_at,
  });
  it("is kept only where it helps", () => {
    expect(isWorthResuming(20, 2400)).toBe(false);
    expect(isWorthResuming(760, 2400)).toBe(true);
    expect(isWorthResuming(2390, 2400)).toBe(false);
  });
  it("forgets a finished lecture and keeps the newest first", () => {
    const list = withPoint([point("a", 300, 1)], point("b", 400, 2));
    expect(list.map((item) => item.lecture_id)).toEqual(["b", "a"]);
    expect(withPoint(list, point("a", 2395, 3)).map((item) => item.lecture_id)).toEqual(["b"]);
  });
  it("is bounded", () => {
    let list = [point("x", 100)];
    for (let index = 0; index < 200; index += 1)
      list = withPoint(list, point(`l${index}`, 100, index));
    expect(list.length).toBeLessThanOrEqual(60);
  });
  it.each([null, "", "{}", "[null, 3, {}]", "]"])("survives %s in the store", (text) => {
    expect(parsePoints(text)).toEqual([]);
  });
  it("comes back from the store", () => {
    localStorage.clear();
    savePoint(localStorage, point("a", 760));
    expect(loadPoints(localStorage)).toEqual([point("a", 760)]);
  });
});
