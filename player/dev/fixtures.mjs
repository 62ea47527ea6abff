/** Believable content for the mock: a Party History series, a live class, a timetable, jobs. */

const HOUR_MS = 3600_000;
const at = (offset_ms) => new Date(Date.now() + offset_ms).toISOString();
let counter = 0;
export const newId = () => `m${String((counter += 1)).padStart(19, "0")}`;

export const PASSWORD = "lecture-hall";

export function makeState() {
  const accounts = [
    ["admin", "系统管理员", "admin"],
    ["bianji", "编辑 李敏", "editor"],
    ["jiangshi", "讲师 张文华", "instructor"],
    ["xueyuan", "学员 王建国", "member"],
    ["muqu01", "学员 其其格", "member"],
    ["dangxiao", "市委党校 教务", "unit_admin"],
    ["tuixiu", "学员 赵秀兰", "member"],
  ].map(([login, display_name, role], index) => ({
    id: newId(),
    login,
    display_name,
    role,
    is_disabled: login === "tuixiu",
    created_at: at(-(index + 2) * 24 * HOUR_MS),
  }));
  const instructor = { id: accounts[2].id, display_name: "张文华" };
  const series = [
    [
      "党史学习教育",
      "从石库门到天安门，十二讲系统回顾党的百年历程。每讲约四十分钟，附讲义和思考题。",
    ],
    ["乡村振兴案例", "来自嘎查、村的真实案例：合作社、集体经济、环境整治。"],
    ["基层党建实务", "“三会一课”、发展党员、换届选举的规范做法与常见问题。"],
    ["草原上的党旗", "有声党课：牧区支部书记讲自己的故事。"],
  ].map(([title, description]) => ({
    id: newId(),
    title,
    description,
    lectures_count: 0,
    created_at: at(-90 * 24 * HOUR_MS),
  }));
  const lectures = [];
  const addLecture = (title, seriesIndex, fields = {}) => {
    const owner = series[seriesIndex];
    owner.lectures_count += 1;
    const id = newId();
    lectures.push({
      id,
      title,
      description: `${title}。由市委党校录制，适合支部集中学习。`,
      state: "ready",
      visibility: lectures.length % 3 === 0 ? "members" : "public",
      duration_s: 40,
      series: { id: owner.id, title: owner.title },
      live_class_id: null,
      position: owner.lectures_count,
      recorded_at: at(-(lectures.length + 1) * 20 * HOUR_MS),
      published_at: at(-(lectures.length + 1) * 19 * HOUR_MS),
      playback: {
        hls_url: "{origin}/media/demo/index.m3u8",
        audio_url: "{origin}/media/demo/audio.m3u8",
      },
      poster_url: null,
      storyboard_url: "{origin}/media/demo/storyboard.vtt",
      renditions: [
        {
          name: "360p",
          kind: "video",
          width: 640,
          height: 360,
          codec: "avc1.42c01e",
          bitrate_bps: 600000,
          state: "ready",
          reason: "与原片同高，直接封装",
        },
        {
          name: "180p",
          kind: "video",
          width: 320,
          height: 180,
          codec: "avc1.42c00d",
          bitrate_bps: 200000,
          state: "ready",
          reason: "供窄带远程教育站点使用",
        },
        {
          name: "audio",
          kind: "audio",
          width: null,
          height: null,
          codec: "mp4a.40.2",
          bitrate_bps: 64000,
          state: "ready",
          reason: null,
        },
      ],
      jobs: [
        { id: newId(), kind: "transcode_recording", state: "done", progress: 1, reason: null },
      ],
      may_manage: false,
      ...fields,
    });
    return lectures[lectures.length - 1];
  };
  [
    "开天辟地",
    "大革命洪流",
    "星星之火",
    "遵义转折",
    "抗战烽火",
    "延安窑洞",
    "走向胜利",
    "建国大业",
  ].forEach((name, index) => addLecture(`第${"一二三四五六七八"[index]}讲 ${name}`, 0));
  ["合作社如何算好三笔账", "一个嘎查的集体经济", "厕所革命怎样真正落地"].forEach((name) =>
    addLecture(name, 1),
  );
  ["“三会一课”怎么开才有效", "发展党员工作流程二十五步"].forEach((name) => addLecture(name, 2));
  addLecture("牧区支部的一天", 3);
  const busy = addLecture("学习贯彻党的创新理论 第二讲", 2, {
    state: "playable",
    renditions: [
      {
        name: "360p",
        kind: "video",
        width: 640,
        height: 360,
        codec: "avc1.42c01e",
        bitrate_bps: 600000,
        state: "running",
        reason: null,
      },
      {
        name: "audio",
        kind: "audio",
        width: null,
        height: null,
        codec: "mp4a.40.2",
        bitrate_bps: 64000,
        state: "done",
        reason: null,
      },
    ],
    jobs: [
      { id: newId(), kind: "transcode_upload", state: "running", progress: 0.46, reason: null },
    ],
  });
  addLecture("基层党建实务答疑（录音损坏）", 2, {
    state: "failed",
    playback: null,
    duration_s: 0,
    jobs: [
      {
        id: newId(),
        kind: "transcode_upload",
        state: "failed",
        progress: 0.1,
        reason: "录像第 3 段读不出来，已重试 5 次",
      },
    ],
  });
  const unit = (key, kind, state, fields = {}) => ({
    id: newId(),
    key,
    kind,
    state,
    attempt: 1,
    worker: null,
    progress: state === "done" ? 1 : 0,
    speed: null,
    reason: null,
    log_tail: null,
    ...fields,
  });
  const jobs = [
    {
      ...busy.jobs[0],
      created_at: at(-HOUR_MS / 4),
      units: [
        unit("plan", "plan_recording", "done"),
        unit("video-0000", "encode_video", "done"),
        unit("video-0001", "encode_video", "running", {
          worker: "worker@hall-1",
          progress: 0.62,
          speed: 3.4,
        }),
        unit("video-0002", "encode_video", "failed", {
          attempt: 5,
          reason: "磁盘写满：编码器没能写完这一段",
          log_tail: "av_interleaved_write_frame(): No space left on device",
        }),
        unit("audio", "encode_audio", "done"),
        unit("images", "make_images", "queued"),
        unit("publish", "publish_asset", "waiting"),
      ],
    },
  ];
  const broken = lectures[lectures.length - 1];
  jobs.push({
    ...broken.jobs[0],
    created_at: at(-2 * HOUR_MS),
    units: [unit("plan", "plan_upload", "failed", { attempt: 5, reason: broken.jobs[0].reason })],
  });
  const [finished] = lectures;
  jobs.push({
    ...finished.jobs[0],
    created_at: at(-20 * HOUR_MS),
    units: [unit("plan", "plan_recording", "done"), unit("publish", "publish_asset", "done")],
  });
  const classes = [];
  const addClass = (title, state, startOffset_ms, fields = {}) => {
    const id = newId();
    classes.push({
      id,
      title,
      description: "请各支部组织党员准时收看。课件会在课后发到专题里。",
      state,
      visibility: "public",
      starts_at: startOffset_ms === null ? null : at(startOffset_ms),
      planned_end: null,
      started_at: null,
      ended_at: null,
      series: null,
      instructor,
      viewers: 0,
      watch_url: `{origin}/classes/${id}`,
      may_manage: false,
      is_ending: false,
      playback: null,
      recording: null,
      health: null,
      replay: null,
      poster_url: null,
      ...fields,
    });
    return classes[classes.length - 1];
  };
  const live = addClass("学习贯彻党的创新理论 · 第三讲", "live", -24 * 60_000, {
    started_at: at(-24 * 60_000),
    viewers: 1286,
    series: { id: series[2].id, title: series[2].title },
  });
  addClass("基层党建实务答疑", "scheduled", 90 * 60_000);
  addClass("党史学习教育 第九讲 改革开放", "scheduled", 26 * HOUR_MS, {
    series: { id: series[0].id, title: series[0].title },
    visibility: "members",
  });
  addClass("合作社财务公开怎么做", "scheduled", 50 * HOUR_MS);
  addClass("支部书记论坛", "scheduled", null);
  for (const [index, lecture] of lectures.slice(0, 3).entries()) {
    addClass(lecture.title, "ended", -(index + 1) * 24 * HOUR_MS, {
      started_at: at(-(index + 1) * 24 * HOUR_MS),
      ended_at: at(-(index + 1) * 24 * HOUR_MS + HOUR_MS),
      replay: {
        lecture_id: lecture.id,
        state: "ready",
        duration_s: 40,
        playback: lecture.playback,
      },
    });
  }
  return {
    accounts,
    series,
    lectures,
    classes,
    jobs,
    live,
    liveStartedAt_ms: Date.now() - 24_000,
    sessions: new Map(),
  };
}

export const HEALTH = {
  protocol: "whip",
  peer: "10.1.2.3",
  uptime_s: 1456,
  video_bps: 2_310_000,
  audio_bps: 64_000,
  fps: 25,
  width_px: 1280,
  height_px: 720,
  gop_s: 2,
  audio_level_dbfs: -21.4,
  dropped_count: 0,
  warnings: ["no_audio"],
};
