/** Texts of short films, English. */
import type { clipsZh } from "./clips.zh-CN";

export const clipsEn: typeof clipsZh = {
  clips: {
    title: "Clips",
    intro:
      "Cut a part out of the lecture as an MP4, to download and publish elsewhere. Press I where it begins and O where it ends.",
    start: "Start",
    end: "End",
    markIn: "Begin here (I)",
    markOut: "End here (O)",
    marked: { in: "The clip begins at {at}", out: "The clip ends at {at}" },
    length: "{at} long, at most 10 minutes",
    badRange: "It ends after it begins, and lasts 1 second to 10 minutes.",
    tryIt: "Play this part",
    shape: "Picture",
    shapes: {
      crop: "Upright 9:16, a part of the picture",
      blur: "Upright 9:16, all of it before a blurred ground",
      landscape: "As wide as the lecture",
    },
    position: "Position of the part: {percent}% from the left",
    positionHint: "What is bright in the player above stays; left and right arrows move it.",
    captions: "Captions in the picture",
    noCaptions: "No captions",
    limit: "File size at most (MB)",
    make: "Make the clip",
    ordered: "It is being made and can be downloaded then",
    list: "Clips so far",
    none: "No clips yet.",
    range: "{start} to {end}",
    size: "{width}×{height}, {size}",
    expires: "Kept until {at}",
    progressOf: "Progress of clip {range}",
    download: "Download",
    stop: "Stop",
    remove: "Delete",
    removeQuestion: "Delete clip {range}?",
    removed: "The clip was deleted",
    ready: "Clip {range} is ready",
  },
};
