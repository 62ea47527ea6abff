/** The editors' part of the mock: uploads over tus, jobs, material of a lecture, cutting. */

const UNCUT_S = 40;
const at = (offset_ms) => new Date(Date.now() + offset_ms).toISOString();
const LINES = [
  "同志们好，今天我们学习第一讲",
  "一九二一年七月，中国共产党第一次全国代表大会在上海召开",
  "会议后来转移到嘉兴南湖的一条游船上继续举行",
  "请大家翻到讲义第三页",
  "这里有两个时间点，需要同志们记住",
];

function makeMaterial(lecture, index) {
  const cues = Array.from({ length: index === 0 ? 2000 : 12 }, (_, number) => ({
    start_ms: number * 3000 + 200,
    end_ms: number * 3000 + 2900,
    text: LINES[number % LINES.length],
  }));
  const chapters = [
    { start_s: 0, title: "开场" },
    { start_s: 12.5, title: "上海石库门" },
    { start_s: 26, title: "南湖红船" },
  ];
  const captions =
    index < 3
      ? [
          {
            ...{ id: `cap${index}`, language: "zh-CN", label: "简体中文", origin: "uploaded" },
            ...{ is_edited: index === 0, version: 3, cues },
          },
        ]
      : [];
  return {
    captions,
    chapters,
    chaptersVersion: 1,
    posters: ["poster-1", "poster-2", "poster-3", "poster-4"],
    poster: "poster-1",
    edit: {
      ...{ version: 0, duration_s: UNCUT_S, kept: [{ start_s: 0, end_s: UNCUT_S }] },
      ...{ state: "none", reason: null, job_id: null },
    },
    source: {
      ...{ kind: "upload", filename: "第一讲_开天辟地.mp4", size_bytes: 734_003_200 },
      notes: [
        "手机竖拍，已按正方向转正",
        "音量偏小，已调到标准响度",
        "录像结尾损坏 2 秒，保留了能播放的部分",
      ],
    },
    lecture,
  };
}

export function deskRoutes(state, { find, pageOf, Problem, newId }) {
  const materials = new Map();
  const materialOf = (id) => {
    const index = state.lectures.findIndex((lecture) => lecture.id === id);
    if (!materials.has(id)) materials.set(id, makeMaterial(find(state.lectures, id), index));
    return materials.get(id);
  };
  state.uploads = [];
  const view = (lecture) => {
    const own = materialOf(lecture.id);
    return {
      ...lecture,
      ...{ may_manage: true, may_edit: true },
      captions: own.captions.map(({ id, language, label, origin, is_edited }) => ({
        ...{ id, language, label, origin, is_edited, url: null },
      })),
      chapters: own.chapters,
      poster_url: lecture.state === "ready" ? `{origin}/media/demo/${own.poster}.jpg` : null,
      posters: own.posters.map((name) => ({ name, url: `{origin}/media/demo/${name}.jpg` })),
      waveform_url: "{origin}/media/demo/waveform.json",
      audio_download_url: "{origin}/media/demo/audio.m4a",
      source: own.source,
      is_partial: lecture.state === "playable",
      edit: { state: own.edit.state, version: own.edit.version },
    };
  };
  const jobRow = (job) => {
    const lecture = state.lectures.find((one) => one.jobs.some((own) => own.id === job.id));
    const count = (name) => job.units.filter((unit) => unit.state === name).length;
    return {
      ...job,
      lecture: lecture ? { id: lecture.id, title: lecture.title } : null,
      priority: job.priority ?? "normal",
      units_count: job.units.length,
      done_count: count("done"),
      failed_count: count("failed"),
      eta_s: job.state === "running" ? 312 : null,
    };
  };
  const allUnits = () => state.jobs.flatMap((job) => job.units);
  const editView = (own) => ({
    ...own.edit,
    media: {
      hls_url: "{origin}/media/demo/index.m3u8",
      waveform_url: "{origin}/media/demo/waveform.json",
      storyboard_url: "{origin}/media/demo/storyboard.vtt",
      frame_rate: 25,
    },
  });
  const seen = (own, version) => {
    if (version !== own.version) throw new Problem(409, "conflict", "已被别人改过，请核对后再保存");
  };
  return [
    ["GET", /^\/uploads$/, ({ query }) => pageOf(state.uploads, query)],
    [
      "GET",
      /^\/uploads\/limits$/,
      () => ({
        ...{ max_size_bytes: 16 * 2 ** 30, quota_bytes: 200 * 2 ** 30, used_bytes: 83 * 2 ** 30 },
        ...{ expires_after_s: 7 * 86400, extensions: ["creation", "termination", "checksum"] },
      }),
    ],
    [
      "GET",
      /^\/jobs$/,
      ({ query }) =>
        pageOf(
          state.jobs
            .map(jobRow)
            .filter((job) => (query.get("state") ?? job.state) === job.state)
            .filter((job) => (query.get("kind") ?? job.kind) === job.kind)
            .filter((job) => (job.lecture?.title ?? "").includes(query.get("q") ?? "")),
          query,
        ),
    ],
    [
      "GET",
      /^\/jobs\/summary$/,
      () => ({
        queues: [
          { name: "live", queued: 0, running: 1, oldest_wait_s: null },
          { name: "short", queued: 3, running: 1, oldest_wait_s: 42 },
          { name: "long", queued: 12, running: 2, oldest_wait_s: 340 },
        ],
        workers: [
          {
            ...{ name: "worker@hall-1", seen_at: at(-4000), is_draining: false },
            unit: { id: "u1", key: "video-0001", lecture_id: state.lectures[0].id },
          },
          { name: "worker@hall-2", seen_at: at(-9000), is_draining: true, unit: null },
        ],
        failed_units: allUnits().filter((unit) => unit.state === "failed").length,
      }),
    ],
    [
      "GET",
      /^\/jobs\/(\w+)$/,
      ({ id }) => {
        const row = jobRow(find(state.jobs, id));
        const lecture = find(state.lectures, row.lecture.id);
        return {
          ...row,
          renditions: lecture.renditions,
          notes: materialOf(lecture.id).source.notes,
        };
      },
    ],
    [
      "GET",
      /^\/units\/failed$/,
      ({ query }) =>
        pageOf(
          state.jobs.flatMap((job) =>
            job.units
              .filter((unit) => unit.state === "failed")
              .map((unit) => ({
                ...unit,
                ...{ job_id: job.id, lecture: jobRow(job).lecture, finished_at: at(-600_000) },
              })),
          ),
          query,
        ),
    ],
    ["GET", /^\/uploads\/(\w+)$/, ({ id }) => find(state.uploads, id)],
    [
      "POST",
      /^\/jobs\/(\w+)\/cancel$/,
      ({ id }) => jobRow(Object.assign(find(state.jobs, id), { state: "cancelled" })),
    ],
    [
      "POST",
      /^\/jobs\/(\w+)\/retry$/,
      ({ id }) => jobRow(Object.assign(find(state.jobs, id), { state: "queued", reason: null })),
    ],
    [
      "PATCH",
      /^\/jobs\/(\w+)$/,
      ({ id, json }) => jobRow(Object.assign(find(state.jobs, id), { priority: json.priority })),
    ],
    [
      "GET",
      /^\/units\/(\w+)$/,
      ({ id }) => ({
        ...find(allUnits(), id),
        commands: [
          "ffmpeg -hide_banner -nostdin -ss 118.000 -i source.mp4 -map 0:v:0 -c:v libx264 -preset medium -crf 23 -g 100 out.mp4",
        ],
        attempts: [
          {
            ...{ number: 1, worker: "worker@hall-2", outcome: "lost", reason: "程序失去联系" },
            ...{ started_at: at(-900_000), ended_at: at(-840_000) },
          },
          {
            ...{ number: 2, worker: "worker@hall-1", outcome: null, reason: null },
            ...{ started_at: at(-60_000), ended_at: null },
          },
        ],
      }),
    ],
    [
      "GET",
      /^\/storage\/orphans$/,
      () => ({
        ...{ token: "look-1", is_complete: true, objects_count: 17, size_bytes: 1_323_000_000 },
        prefixes: state.orphansGone
          ? []
          : [
              {
                ...{ prefix: "staging/m00017-2/", objects_count: 14, size_bytes: 83_000_000 },
                why: "没做完的任务留下的",
              },
              {
                ...{ prefix: "uploads/m00021", objects_count: 3, size_bytes: 1_240_000_000 },
                why: "过期的上传",
              },
            ],
      }),
    ],
    [
      "POST",
      /^\/storage\/orphans\/delete$/,
      () => {
        state.orphansGone = true;
        return {
          ...{ prefixes_count: 2, objects_count: 17, size_bytes: 1_323_000_000 },
          ...{ kept_count: 0, is_complete: true },
        };
      },
    ],
    ["GET", /^\/lectures\/(\w+)$/, ({ id }) => view(find(state.lectures, id))],
    [
      "DELETE",
      /^\/lectures\/(\w+)$/,
      ({ id }) => {
        const lecture = find(state.lectures, id);
        Object.assign(lecture, { was: lecture.state, state: "deleted" });
        return null;
      },
    ],
    [
      "POST",
      /^\/lectures\/(\w+)\/restore$/,
      ({ id }) => {
        const lecture = find(state.lectures, id);
        lecture.state = lecture.was;
        return lecture;
      },
    ],
    [
      "PUT",
      /^\/lectures\/(\w+)\/poster$/,
      ({ id, json }) => {
        materialOf(id).poster = json.name ?? "poster-4";
        return view(find(state.lectures, id));
      },
    ],
    [
      "GET",
      /^\/lectures\/(\w+)\/chapters$/,
      ({ id }) => ({
        chapters: materialOf(id).chapters,
        version: materialOf(id).chaptersVersion,
        suggestions: [4, 9.2, 17, 21.4, 33].map((start_s) => ({ start_s, title: "" })),
      }),
    ],
    [
      "PUT",
      /^\/lectures\/(\w+)\/chapters$/,
      ({ id, json }) => {
        const own = materialOf(id);
        seen({ version: own.chaptersVersion }, json.version);
        Object.assign(own, { chapters: json.chapters, chaptersVersion: json.version + 1 });
        return { chapters: own.chapters, version: own.chaptersVersion, suggestions: [] };
      },
    ],
    [
      "POST",
      /^\/lectures\/(\w+)\/captions$/,
      ({ id, query }) => {
        const track = {
          ...{ id: newId(), language: query.get("language"), label: query.get("label") },
          ...{ origin: "uploaded", is_edited: false, version: 1 },
          cues: [{ start_ms: 0, end_ms: 2000, text: "新的字幕" }],
        };
        materialOf(id).captions.push(track);
        return track;
      },
    ],
    [
      "GET",
      /^\/lectures\/(\w+)\/captions\/(\w+)$/,
      ({ id, rest }) => find(materialOf(id).captions, rest[1]),
    ],
    [
      "PUT",
      /^\/lectures\/(\w+)\/captions\/(\w+)$/,
      ({ id, rest, json }) => {
        const track = find(materialOf(id).captions, rest[1]);
        seen(track, json.version);
        return Object.assign(track, {
          cues: json.cues,
          version: track.version + 1,
          is_edited: true,
        });
      },
    ],
    [
      "DELETE",
      /^\/lectures\/(\w+)\/captions\/(\w+)$/,
      ({ id, rest }) => {
        const own = materialOf(id);
        own.captions = own.captions.filter((track) => track.id !== rest[1]);
        return null;
      },
    ],
    [
      "POST",
      /^\/lectures\/(\w+)\/transcription$/,
      () => {
        throw new Problem(409, "conflict", "没有配置语音识别模型，请管理员先设置");
      },
    ],
    ["GET", /^\/lectures\/(\w+)\/edit$/, ({ id }) => editView(materialOf(id))],
    [
      "PUT",
      /^\/lectures\/(\w+)\/edit$/,
      ({ id, json }) => {
        const own = materialOf(id);
        seen(own.edit, json.version);
        Object.assign(own.edit, { version: json.version + 1, kept: json.kept, state: "running" });
        setTimeout(() => Object.assign(own.edit, { state: "done" }), 4000);
        return editView(own);
      },
    ],
    [
      "DELETE",
      /^\/lectures\/(\w+)\/edit$/,
      ({ id }) => {
        const own = materialOf(id);
        const kept = [{ start_s: 0, end_s: UNCUT_S }];
        Object.assign(own.edit, { version: own.edit.version + 1, kept, state: "none" });
        return editView(own);
      },
    ],
  ];
}

/** tus 1.0, slowly enough to be seen; true when the request was one of it. */
export function answerTus(request, response, url, state) {
  const id = /^\/api\/v1\/uploads\/(\w+)$/.exec(url.pathname)?.[1];
  const isCreation = url.pathname === "/api/v1/uploads" && request.method === "POST";
  if (!isCreation && (!id || request.method === "GET")) return false;
  const headers = { "Tus-Resumable": "1.0.0", "Cache-Control": "no-store" };
  const upload = state.uploads.find((one) => one.id === id);
  if (isCreation) {
    const metadata = Object.fromEntries(
      (request.headers["upload-metadata"] ?? "").split(",").map((pair) => {
        const [name, value = ""] = pair.trim().split(" ");
        return [name, Buffer.from(value, "base64").toString("utf8")];
      }),
    );
    const made = {
      ...{ id: `up${state.uploads.length + 1}`, filename: metadata.filename, received_bytes: 0 },
      ...{ size_bytes: Number(request.headers["upload-length"]), state: "receiving" },
      ...{ reason: null, lecture_id: null, duplicate_of: null },
      ...{ created_at: at(0), expires_at: at(86_400_000) },
    };
    state.uploads.unshift(made);
    request.resume();
    response.writeHead(201, { ...headers, Location: `/api/v1/uploads/${made.id}` }).end();
  } else if (!upload) {
    response.writeHead(404, headers).end();
  } else if (request.method === "HEAD") {
    response
      .writeHead(200, {
        ...headers,
        "Upload-Offset": upload.received_bytes,
        "Upload-Length": upload.size_bytes,
      })
      .end();
  } else if (request.method === "DELETE") {
    state.uploads.splice(state.uploads.indexOf(upload), 1);
    response.writeHead(204, headers).end();
  } else receive(request, response, upload, headers, state);
  return true;
}

function receive(request, response, upload, headers, state) {
  request.on("data", (chunk) => {
    upload.received_bytes += chunk.length;
    request.pause();
    setTimeout(() => request.resume(), 12);
  });
  request.on("end", () => {
    if (upload.received_bytes === upload.size_bytes) {
      const [known] = state.lectures;
      const isKnown = upload.filename.includes("重复");
      Object.assign(upload, isKnown ? { state: "duplicate" } : { state: "done" });
      if (isKnown) upload.duplicate_of = { id: known.id, title: known.title };
      else upload.lecture_id = state.lectures.find((one) => one.state === "playable").id;
    }
    response.writeHead(204, { ...headers, "Upload-Offset": upload.received_bytes }).end();
  });
}
