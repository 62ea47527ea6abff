import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { ApiProblem, asProblem, kindOfStatus, problemFrom } from "@/api/problem";

describe("problems", () => {
  it.each([
    [401, "not-signed-in"],
    [403, "not-allowed"],
    [404, "not-found"],
    [409, "conflict"],
    [422, "invalid"],
    [429, "throttled"],
    [500, "server"],
    [503, "busy"],
  ])("HTTP %s is %s", (status, kind) => {
    expect(kindOfStatus(status)).toBe(kind);
  });
  it("keeps the sentence of the server", () => {
    const problem = problemFrom(429, { title: "登录太频繁", detail: "10 tries" }, "30");
    expect(problem).toMatchObject({
      kind: "throttled",
      title: "登录太频繁",
      detail: "10 tries",
      retryAfter_s: 30,
    });
    expect(problem.isRetryable).toBe(true);
  });
  it.each([null, "text", 3, [], { title: 7 }])("reads any body: %s", (body) => {
    expect(problemFrom(500, body, "soon")).toMatchObject({
      kind: "server",
      title: "",
      retryAfter_s: null,
    });
  });
  it("tells no network from a broken program", () => {
    expect(asProblem(new TypeError("failed to fetch")).kind).toBe("offline");
    expect(asProblem(new DOMException("late", "TimeoutError")).kind).toBe("timeout");
    expect(asProblem("?").kind).toBe("server");
    const known = new ApiProblem("busy", 503, "", "");
    expect(asProblem(known)).toBe(known);
  });
});

/** A real server: what is sent, and what comes back for each kind of answer. */
describe("client against a server", () => {
  let server: Server | null = null;
  afterEach(() => {
    server?.close();
    server = null;
  });

  async function listen(status: number, body: string, seen: { url?: string; csrf?: string }[]) {
    server = createServer((request, response) => {
      seen.push({ url: request.url, csrf: request.headers["x-csrf-token"] as string | undefined });
      response.writeHead(status, { "Content-Type": "application/json" }).end(body);
    });
    await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it("leaves empty filters out and throws what is not 2xx", async () => {
    const seen: { url?: string; csrf?: string }[] = [];
    const origin = await listen(403, '{"title":"没有权限"}', seen);
    const { client, setCsrfToken } = await import("@/api/http");
    setCsrfToken("t0k");
    await expect(
      client.GET("/api/v1/lectures", { baseUrl: origin, params: { query: { q: "", page: 2 } } }),
    ).rejects.toMatchObject({ kind: "not-allowed", title: "没有权限" });
    await expect(
      client.POST("/api/v1/session", { baseUrl: origin, body: { login: "a", password: "b" } }),
    ).rejects.toBeInstanceOf(ApiProblem);
    expect(seen[0]).toEqual({ url: "/api/v1/lectures?page=2", csrf: undefined });
    expect(seen[1]).toMatchObject({ csrf: "t0k" });
  });
});
