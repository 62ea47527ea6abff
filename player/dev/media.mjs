/** Media for the mock: a few seconds made by FFmpeg, a VOD set and a live playlist that grows. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const SEGMENT_S = 2;

/** `ffmpeg` may be any build; HALL_FFMPEG names it. */
export function makeMedia(folder, ffmpeg = process.env.HALL_FFMPEG ?? "ffmpeg") {
  if (existsSync(join(folder, "poster-4.jpg"))) return;
  mkdirSync(folder, { recursive: true });
  const run = (...args) =>
    execFileSync(ffmpeg, ["-hide_banner", "-loglevel", "error", "-y", ...args]);
  const source = [
    ..."-f lavfi -i testsrc2=size=640x360:rate=25:duration=40".split(" "),
    ..."-f lavfi -i sine=frequency=330:duration=40".split(" "),
  ];
  const h264 = (height, rate) =>
    `-vf scale=-2:${height} -c:v libx264 -preset ultrafast -g 50 -keyint_min 50 -sc_threshold 0 -b:v ${rate} -pix_fmt yuv420p`.split(
      " ",
    );
  const hls = (name) =>
    `-c:a aac -b:a 64k -f hls -hls_time ${SEGMENT_S} -hls_playlist_type vod -hls_segment_type fmp4 -hls_fmp4_init_filename ${name}-init.mp4 -hls_segment_filename ${name}-%d.m4s`
      .split(" ")
      .map((part) => (part.endsWith(".m4s") ? join(folder, part) : part))
      .concat(join(folder, `${name}.m3u8`));
  run(...source, ...h264(360, "600k"), ...hls("v360"));
  run(...source, ...h264(180, "200k"), ...hls("v180"));
  run(...source, "-vn", ...hls("audio"));
  run(
    ..."-f lavfi -i testsrc2=size=160x90:rate=1:duration=40 -vf fps=1/4,tile=5x2 -frames:v 1".split(
      " ",
    ),
    join(folder, "storyboard.jpg"),
  );
  run(...source, "-vn", ..."-c:a aac -b:a 64k".split(" "), join(folder, "audio.m4a"));
  for (const number of [1, 2, 3, 4]) {
    const at = ["-ss", String(number * 9)];
    run(
      ...source.slice(0, 4),
      ...at,
      ..."-frames:v 1".split(" "),
      join(folder, `poster-${number}.jpg`),
    );
  }
}

export const files = {
  "index.m3u8": () => `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="简体中文",LANGUAGE="zh-CN",DEFAULT=YES,AUTOSELECT=YES,URI="captions.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360,CODECS="avc1.42c01e,mp4a.40.2",SUBTITLES="subs"
v360.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=350000,RESOLUTION=320x180,CODECS="avc1.42c00d,mp4a.40.2",SUBTITLES="subs"
v180.m3u8
`,
  "waveform.json": () =>
    JSON.stringify({
      version: 1,
      step_ms: 100,
      peaks: Array.from({ length: 400 }, (_, index) =>
        Math.round(40 + 180 * Math.abs(Math.sin(index / 7) * Math.sin(index / 41))),
      ),
    }),
  "chapters.vtt": () =>
    "WEBVTT\n\n00:00.000 --> 00:12.500\n开场\n\n00:12.500 --> 00:26.000\n上海石库门\n\n00:26.000 --> 00:40.000\n南湖红船\n",
  "captions.vtt": () =>
    `WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n${Array.from({ length: 13 }, (_, index) => `00:${String(index * 3).padStart(2, "0")}.200 --> 00:${String(index * 3 + 2).padStart(2, "0")}.900\n第 ${index + 1} 句：同志们好，今天我们一起学习\n党的创新理论第三讲`).join("\n\n")}\n`,
  "captions.m3u8": () =>
    "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:40\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:40,\ncaptions.vtt\n#EXT-X-ENDLIST\n",
  "storyboard.vtt": () => {
    const cue = (index) => {
      const at = (s) => `00:00:${String(s).padStart(2, "0")}.000`;
      return `${at(index * 4)} --> ${at(index * 4 + 4)}\nstoryboard.jpg#xywh=${(index % 5) * 160},${Math.floor(index / 5) * 90},160,90`;
    };
    return `WEBVTT\n\n${Array.from({ length: 10 }, (_, index) => cue(index)).join("\n\n")}\n`;
  },
};

/** A media playlist of `name` as it stands `elapsed_s` after the start of the class. */
export function livePlaylist(folder, name, elapsed_s, hasEnded) {
  const source = readFileSync(join(folder, `${name}.m3u8`), "utf8");
  const segments = [...source.matchAll(/#EXTINF:([\d.]+),\n(\S+)/g)];
  const count = Math.max(3, Math.floor(elapsed_s / SEGMENT_S));
  const lines = [
    "#EXTM3U",
    "#EXT-X-VERSION:7",
    "#EXT-X-TARGETDURATION:4",
    "#EXT-X-MEDIA-SEQUENCE:0",
  ];
  for (let index = 0; index < count; index += 1) {
    const [, duration, uri] = segments[index % segments.length];
    if (index % segments.length === 0) {
      if (index > 0) lines.push("#EXT-X-DISCONTINUITY");
      lines.push(`#EXT-X-MAP:URI="${name}-init.mp4"`);
    }
    lines.push(`#EXTINF:${duration},`, `${uri}?${index}`);
  }
  if (hasEnded) lines.push("#EXT-X-ENDLIST");
  return `${lines.join("\n")}\n`;
}
