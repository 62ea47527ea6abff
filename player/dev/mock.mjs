/** A small real HTTP server that behaves like the gate, for work on the pages alone.
 *
 *   npm run build && node dev/mock.mjs [port]      accounts: admin, bianji, jiangshi, xueyuan; password in fixtures.mjs
 *   POST /dev/state {"id", "state"}   moves a class to scheduled | live | interrupted | ended
 *   POST /dev/slow {"ms"}             delays every answer of the API
 *   POST /dev/fail {"status"}         fails every answer of the API; 0 ends it
 *   POST /dev/empty {"on"}            a house without any content
 */
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer, request as forward } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { deskRoutes, answerTus } from "./desk.mjs";
import { HEALTH, makeState, newId, PASSWORD } from "./fixtures.mjs";
import { files, livePlaylist, makeMedia } from "./media.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const DIST = process.env.MOCK_DIST ?? join(HERE, "..", "dist");
const MEDIA = process.env.MOCK_MEDIA ?? join(HERE, "..", "node_modules", ".mock-media");
const WHIP_SINK = process.env.MOCK_WHIP_SINK ?? ""; // host:port of a program that answers WHIP.
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".jpg": "image/jpeg",
  ".m3u8": "application/vnd.apple.mpegurl",
  ".m4s": "video/iso.segment",
  ".mp4": "video/mp4",
  ".vtt": "text/vtt",
  ".m4a": "audio/mp4",
  ".json": "application/json",
};
const CSP =
  "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'self'; frame-ancestors 'none'";

const state = makeState();
const dev = { slow_ms: 0, fail: 0, isEmpty: false };
makeMedia(MEDIA);

class Problem extends Error {
  constructor(status, kind, title) {
    super(title);
    Object.assign(this, { status, kind, title });
  }
}
const notFound = () => new Problem(404, "not-found", "没有找到");

async function readBytes(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function readJson(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text === "" ? {} : JSON.parse(text);
}

function accountOf(request) {
  const key = /hall_session=(\w+)/.exec(request.headers.cookie ?? "")?.[1];
  return state.accounts.find((account) => account.id === state.sessions.get(key)) ?? null;
}

function pageOf(items, query) {
  const page = Number(query.get("page") ?? 1);
  const page_size = Number(query.get("page_size") ?? 20);
  const all = dev.isEmpty ? [] : items;
  return {
    items: all.slice((page - 1) * page_size, page * page_size),
    page,
    page_size,
    total: all.length,
  };
}

const has = (text, words) => words === null || text.includes(words);

function viewClass(item, account) {
  const may_manage = account !== null && account.role !== "member";
  const isOn = item.state === "live" || item.state === "interrupted";
  const elapsed_s = (Date.now() - state.liveStartedAt_ms) / 1000;
  return {
    ...item,
    may_manage,
    playback: isOn
      ? {
          hls_url: "{origin}/live/demo/index.m3u8",
          audio_url: "{origin}/live/demo/audio.m3u8",
          whep_url: "{origin}/whep/demo",
        }
      : null,
    recording: isOn ? { recorded_s: 1440 + elapsed_s, stored_s: 1434 + elapsed_s } : null,
    health: may_manage && item.state === "live" ? HEALTH : null,
  };
}

const routes = [
  ...deskRoutes(state, { find, pageOf, Problem, newId }),
  [
    "GET",
    /^\/config$/,
    () => ({
      site_title: "云上讲堂",
      origin: "{origin}",
      is_https: false,
      whep_enabled: true,
      ice_servers: [],
    }),
  ],
  ["GET", /^\/session$/, ({ account }) => ({ account, csrf_token: "mock" })],
  [
    "POST",
    /^\/session$/,
    async ({ json, response }) => {
      const account = state.accounts.find(
        (known) => known.login === json.login && !known.is_disabled,
      );
      if (!account || json.password !== PASSWORD)
        throw new Problem(401, "not-signed-in", "账号或密码不对");
      const key = newId();
      state.sessions.set(key, account.id);
      response.setHeader("Set-Cookie", `hall_session=${key}; Path=/; HttpOnly; SameSite=Lax`);
      return { token: key, csrf_token: "mock", account };
    },
  ],
  [
    "DELETE",
    /^\/session$/,
    ({ response }) => {
      response.setHeader("Set-Cookie", "hall_session=; Path=/; Max-Age=0");
      return null;
    },
  ],
  [
    "PATCH",
    /^\/account$/,
    ({ account, json }) =>
      Object.assign(account, json.display_name ? { display_name: json.display_name } : {}),
  ],
  [
    "GET",
    /^\/home$/,
    ({ account }) => ({
      live: dev.isEmpty
        ? []
        : state.classes
            .filter((item) => ["live", "interrupted"].includes(item.state))
            .map((item) => viewClass(item, account)),
      upcoming: dev.isEmpty
        ? []
        : state.classes
            .filter((item) => item.state === "scheduled")
            .map((item) => viewClass(item, account)),
      going_on: [],
      required: null,
      recommended: [],
      recent: dev.isEmpty
        ? []
        : state.lectures
            .filter((lecture) => lecture.state === "ready")
            .slice(-8)
            .reverse(),
    }),
  ],
  [
    "GET",
    /^\/live-classes$/,
    ({ query, account }) =>
      pageOf(
        state.classes
          .filter(
            (item) =>
              has(item.title, query.get("q")) && (query.get("state") ?? item.state) === item.state,
          )
          .filter((item) => (query.get("series_id") ?? item.series?.id) === item.series?.id)
          .map((item) => viewClass(item, account)),
        query,
      ),
  ],
  [
    "POST",
    /^\/live-classes$/,
    ({ json, account }) => {
      const item = {
        ...state.classes[0],
        id: newId(),
        state: "scheduled",
        starts_at: null,
        started_at: null,
        viewers: 0,
        series: null,
        ...json,
      };
      state.classes.push(item);
      return viewClass(item, account);
    },
  ],
  [
    "GET",
    /^\/live-classes\/(\w+)$/,
    ({ id, account }) => viewClass(find(state.classes, id), account),
  ],
  [
    "DELETE",
    /^\/live-classes\/(\w+)$/,
    ({ id }) => {
      state.classes.splice(state.classes.indexOf(find(state.classes, id)), 1);
      return null;
    },
  ],
  [
    "GET",
    /^\/live-classes\/(\w+)\/publish$/,
    ({ id }) => ({
      rtmp_url: "rtmp://127.0.0.1:1935/live",
      stream_key: `${id}-8f3ac09d`,
      whip_url: `{origin}/whip/${id}`,
      whip_token: "mock-token-51cd",
      ice_servers: [],
    }),
  ],
  [
    "POST",
    /^\/live-classes\/(\w+)\/end$/,
    ({ id, account }) => viewClass(move(find(state.classes, id), "ended"), account),
  ],
  [
    "POST",
    /^\/live-classes\/(\w+)\/reopen$/,
    ({ id, account }) => viewClass(move(find(state.classes, id), "interrupted"), account),
  ],
  [
    "GET",
    /^\/series$/,
    ({ query }) =>
      pageOf(
        state.series.filter((item) => has(item.title, query.get("q"))),
        query,
      ),
  ],
  ["GET", /^\/series\/(\w+)$/, ({ id }) => find(state.series, id)],
  [
    "GET",
    /^\/lectures$/,
    ({ query }) =>
      pageOf(
        state.lectures
          .filter(
            (lecture) =>
              has(lecture.title, query.get("q")) &&
              (query.get("state") ?? lecture.state) === lecture.state &&
              (lecture.state !== "deleted" || query.get("state") === "deleted"),
          )
          .filter((lecture) => (query.get("series_id") ?? lecture.series.id) === lecture.series.id),
        query,
      ),
  ],
  ["GET", /^\/lectures\/(\w+)$/, ({ id }) => find(state.lectures, id)],
  [
    "PATCH",
    /^\/lectures\/(\w+)$/,
    ({ id, json }) =>
      Object.assign(find(state.lectures, id), { title: json.title, description: json.description }),
  ],
  [
    "GET",
    /^\/lectures\/(\w+)\/jobs$/,
    ({ id }) => ({
      items: state.jobs.filter((job) =>
        find(state.lectures, id).jobs.some((own) => own.id === job.id),
      ),
    }),
  ],
  ["POST", /^\/lectures\/(\w+)\/transcode$/, () => null],
  [
    "POST",
    /^\/units\/(\w+)\/retry$/,
    ({ id }) => {
      Object.assign(
        find(
          state.jobs.flatMap((job) => job.units),
          id,
        ),
        { state: "queued", reason: null },
      );
      return null;
    },
  ],
  [
    "GET",
    /^\/accounts$/,
    ({ query }) =>
      pageOf(
        state.accounts.filter((account) =>
          has(account.login + account.display_name, query.get("q")),
        ),
        query,
      ),
  ],
  [
    "POST",
    /^\/accounts$/,
    ({ json }) => {
      const account = {
        id: newId(),
        is_disabled: false,
        created_at: new Date().toISOString(),
        ...json,
      };
      state.accounts.push(account);
      return { ...account, password: "kx7w-m3pd-92ta" };
    },
  ],
  [
    "PATCH",
    /^\/accounts\/(\w+)$/,
    ({ id, json }) => {
      const change = { ...json };
      delete change.new_password; // Kept by the real house as a hash only.
      return Object.assign(find(state.accounts, id), change);
    },
  ],
];

function find(list, id) {
  const item = list.find((one) => one.id === id);
  if (!item) throw notFound();
  return item;
}

function move(item, to) {
  item.state = to;
  if (to === "live") {
    item.started_at ??= new Date().toISOString();
    item.replay = null;
  }
  if (to === "ended") {
    item.ended_at = new Date().toISOString();
    setTimeout(() => {
      const [lecture] = state.lectures;
      item.replay = {
        lecture_id: lecture.id,
        state: "playable",
        duration_s: 40,
        playback: lecture.playback,
      };
    }, 1500);
  }
  return item;
}

async function answerApi(request, response, url) {
  if (dev.slow_ms > 0) await new Promise((done) => setTimeout(done, dev.slow_ms));
  if (dev.fail > 0) throw new Problem(dev.fail, "mock", "");
  const path = url.pathname.slice("/api/v1".length);
  for (const [method, pattern, handler] of routes) {
    const match = pattern.exec(path);
    if (!match || method !== request.method) continue;
    const bytes = method === "GET" ? Buffer.alloc(0) : await readBytes(request);
    const isJson = (request.headers["content-type"] ?? "").includes("json");
    const json = isJson && bytes.length > 0 ? JSON.parse(bytes.toString("utf8")) : {};
    const context = {
      id: match[1],
      query: url.searchParams,
      account: accountOf(request),
      json,
      bytes,
      rest: match.slice(1),
      response,
    };
    const value = await handler(context);
    if (value === null) return send(response, 204, "");
    const text = JSON.stringify(value).replaceAll("{origin}", `http://${request.headers.host}`);
    return send(response, method === "POST" && !match[1] ? 201 : 200, text, "application/json");
  }
  throw notFound();
}

async function answerDev(request, response, url) {
  const json = await readJson(request);
  if (url.pathname === "/dev/state") {
    move(json.id ? find(state.classes, json.id) : state.live, json.state);
    if (json.state === "live" && json.fresh) state.liveStartedAt_ms = Date.now() - 8_000;
  } else if (url.pathname === "/dev/slow") dev.slow_ms = json.ms;
  else if (url.pathname === "/dev/fail") dev.fail = json.status;
  else if (url.pathname === "/dev/empty") dev.isEmpty = json.on;
  const ids = {
    live: state.live.id,
    classes: state.classes.map(({ id, state: now }) => ({ id, state: now })),
    lectures: state.lectures.map(({ id, title }) => ({ id, title })),
    series: state.series.map(({ id }) => id),
  };
  return send(response, 200, JSON.stringify(ids), "application/json");
}

let frozenAt_ms = null;
function answerLive(response, name) {
  const now = Date.now();
  if (state.live.state === "live") frozenAt_ms = null;
  else frozenAt_ms ??= now;
  if (name === "index.m3u8") {
    const text = files["index.m3u8"]()
      .replace(/#EXT-X-MEDIA:TYPE=SUBTITLES.*\n/, "")
      .replaceAll(',SUBTITLES="subs"', "");
    return send(response, 200, text, TYPES[".m3u8"]);
  }
  if (name.endsWith(".m3u8")) {
    const elapsed_s = ((frozenAt_ms ?? now) - state.liveStartedAt_ms) / 1000;
    return send(
      response,
      200,
      livePlaylist(MEDIA, name.slice(0, -5), elapsed_s, state.live.state === "ended"),
      TYPES[".m3u8"],
    );
  }
  return sendFile(response, join(MEDIA, name));
}

function answerMedia(response, name) {
  if (files[name]) return send(response, 200, files[name](), TYPES[extname(name)]);
  return sendFile(response, join(MEDIA, name));
}

/** WHIP goes to another program if one is named, else it is refused in words. */
function answerWhip(request, response) {
  if (WHIP_SINK === "") throw new Problem(503, "capacity", "这里没有接收端");
  const [host, port] = WHIP_SINK.split(":");
  const upstream = forward(
    { host, port, path: request.url, method: request.method, headers: request.headers },
    (reply) => {
      response.writeHead(reply.statusCode, reply.headers);
      reply.pipe(response);
    },
  );
  upstream.on("error", () => send(response, 502, ""));
  request.pipe(upstream);
}

function send(response, status, body, type = "text/plain; charset=utf-8") {
  response.writeHead(status, {
    "Content-Type": type,
    "Cache-Control": "no-store",
    "Content-Security-Policy": CSP,
  });
  response.end(body);
}

function sendFile(response, file) {
  if (!existsSync(file) || !statSync(file).isFile()) return send(response, 404, "");
  response.writeHead(200, {
    "Content-Type": TYPES[extname(file)] ?? "application/octet-stream",
    "Content-Security-Policy": CSP,
  });
  createReadStream(file).pipe(response);
}

async function answer(request, response) {
  const url = new URL(request.url ?? "/", "http://mock");
  const name = normalize(decodeURIComponent(url.pathname)).replace(/^(\.\.[/\\])+/, "");
  if (answerTus(request, response, url, state)) return undefined;
  if (name.startsWith("/api/v1/")) return answerApi(request, response, url);
  if (name.startsWith("/dev/")) return answerDev(request, response, url);
  if (name.startsWith("/live/demo/")) return answerLive(response, name.slice("/live/demo/".length));
  if (name.startsWith("/media/demo/"))
    return answerMedia(response, name.slice("/media/demo/".length));
  if (name.startsWith("/whip/") || name.startsWith("/whep/")) return answerWhip(request, response);
  const file = join(DIST, name);
  return sendFile(
    response,
    existsSync(file) && statSync(file).isFile() ? file : join(DIST, "index.html"),
  );
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    const problem = error instanceof Problem ? error : new Problem(500, "internal", String(error));
    const body = {
      type: `urn:hall:problem:${problem.kind}`,
      title: problem.title,
      status: problem.status,
      detail: "",
    };
    send(response, problem.status, JSON.stringify(body), "application/problem+json");
  });
});
server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
