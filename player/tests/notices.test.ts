import { describe, expect, it } from "vitest";
import { hasFormat, toMarkup, toText } from "@/pages/desk/notices/text";

describe("the text of a notice", () => {
  it("is paragraphs, and what was typed comes back", () => {
    const typed = "第一段 <b> & 更多\n同一段\n\n第二段";
    const markup = toMarkup(typed);
    expect(markup).toBe("<p>第一段 &lt;b&gt; &amp; 更多<br>同一段</p><p>第二段</p>");
    expect(toText(markup)).toBe(typed);
  });
  it("leaves out empty paragraphs and foreign line ends", () => {
    expect(toMarkup("\r\n\r\n一\r\n\r\n \r\n\r\n二\r\n")).toBe("<p>一</p><p>二</p>");
    expect(toMarkup("  \n ")).toBe("");
  });
  it("tells what typing would lose", () => {
    expect(hasFormat("<p>一<br>二</p>")).toBe(false);
    expect(hasFormat('<p><a href="/x">一</a></p>')).toBe(true);
    expect(toText("<ul><li>一</li><li>二</li></ul>")).toBe("一\n\n二");
  });
});
