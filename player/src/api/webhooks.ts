/** The calls of webhooks and of messages that go out; for administrators. */
import { body, client } from "./http";
import type { components } from "./schema";

type Schemas = components["schemas"];
export type Webhook = Schemas["Webhook"];
export type EventKind = Webhook["kinds"][number];
export type Delivery = Schemas["WebhookDelivery"];

export const EVENT_KINDS: readonly EventKind[] = [
  "lecture.published",
  "class.started",
  "class.ended",
  "replay.ready",
  "notice.sent",
  "job.failed",
];
const of = (webhook_id: string) => ({ params: { path: { webhook_id } } });

export const webhooks = {
  list: (signal?: AbortSignal) => body(client.GET("/api/v1/webhooks", { signal })),
  create: (wanted: Schemas["NewWebhook"]) =>
    body(client.POST("/api/v1/webhooks", { body: wanted })),
  change: (id: string, change: Schemas["WebhookChange"]) =>
    body(client.PATCH("/api/v1/webhooks/{webhook_id}", { ...of(id), body: change })),
  remove: (id: string) => body(client.DELETE("/api/v1/webhooks/{webhook_id}", of(id))),
  rotate: (id: string) => body(client.POST("/api/v1/webhooks/{webhook_id}/rotate", of(id))),
  ping: (id: string) => body(client.POST("/api/v1/webhooks/{webhook_id}/ping", of(id))),
  deliveries: (webhook_id: string, page: number, signal?: AbortSignal) =>
    body(
      client.GET("/api/v1/webhooks/{webhook_id}/deliveries", {
        params: { path: { webhook_id }, query: { page } },
        signal,
      }),
    ),
  resend: (webhook_id: string, delivery_id: string) =>
    body(
      client.POST("/api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/resend", {
        params: { path: { webhook_id, delivery_id } },
      }),
    ),
  messages: (page: number, signal?: AbortSignal) =>
    body(client.GET("/api/v1/messages", { params: { query: { page } }, signal })),
  testMessage: (to: string) => body(client.POST("/api/v1/messages", { body: { to } })),
};
