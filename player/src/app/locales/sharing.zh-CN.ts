/** Texts of sharing, Chinese. */
export const sharingZh = {
  share: {
    title: "分享",
    address: "链接",
    hint: "在微信里发送这个链接，或者让对方用手机扫一扫下面的二维码。",
    codeAlt: "这个页面的二维码",
    saveCode: "保存二维码",
    rss: "RSS 订阅",
    podcast: "播客订阅",
    calendar: "订阅课程表（日历）",
  },
};
