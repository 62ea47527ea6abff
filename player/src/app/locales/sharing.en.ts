/** Texts of sharing, English. */
import type { sharingZh } from "./sharing.zh-CN";

export const sharingEn: typeof sharingZh = {
  share: {
    title: "Share",
    address: "Link",
    hint: "Send this link, or let somebody scan the code with a phone.",
    codeAlt: "QR code of this page",
    saveCode: "Save the code",
    rss: "RSS feed",
    podcast: "Podcast feed",
    calendar: "Subscribe to the timetable (calendar)",
  },
};
