/** Texts of learning on one's own, English. */
import type { learningZh } from "./learning.zh-CN";

export const learningEn: typeof learningZh = {
  learning: {
    title: "My learning",
    intro: "Where you stopped is kept with your account, so you can go on with any device.",
    all: "All",
    tab: { going: "Continue", required: "Required", kept: "Favourites", finished: "Finished" },
    none: {
      going: "Nothing is half done",
      required: "All required lectures are finished",
      kept: "No favourites yet",
      finished: "Nothing is finished yet",
    },
    noneHint: "Have a look at the library.",
    count: "{count} lectures",
    required: "Required, not finished",
    requiredDone: "{done} of {total} required lectures finished",
    recommended: "Recommended for you",
    done: "Finished",
    keep: "Add to favourites",
    isKept: "In favourites",
    kept: "Added; you find it in “My learning”",
    dropped: "Removed from favourites",
    keepFailed: "That was not saved, please try again",
    seriesDone: "{done} of {total} lectures watched",
    seriesAll: "All watched",
    go: "Continue: {title}",
    start: "Start: {title}",
    privacy: "Learning record",
    privacyHint:
      "After clearing it all lectures start from the beginning and none is finished; favourites stay.",
    forget: "Clear my learning record",
    forgetQuestion: "Clear it? It cannot be brought back.",
    forgetYes: "Clear it",
    forgotten: "The learning record is cleared",
  },
};
