/** The calls of orders 点单: ordering, the loop, what is wanted most. */
import { body, client } from "./http";
import type { components } from "./schema";

type Schemas = components["schemas"];
export type Order = Schemas["Order"];
export type OrderRow = Schemas["OrderRow"];
export type OrderMove = Schemas["OrderMove"];
export type NewOrder = Schemas["NewOrder"];
export type OrderState = OrderRow["state"];
export type OrderKind = OrderRow["kind"];
export type Delivery = OrderRow["wished"];
export type OrderScope = "mine" | "assigned" | "desk";

export const STATES: readonly OrderState[] = [
  "ordered",
  "assigned",
  "accepted",
  "done",
  "rated",
  "declined",
  "withdrawn",
];
export const KINDS: readonly OrderKind[] = ["lecture", "series", "instructor", "wish"];
export const DELIVERIES: readonly Delivery[] = ["any", "live", "replay", "on_site"];

interface ListQuery {
  scope?: OrderScope;
  q?: string;
  state?: OrderState;
  overdue?: boolean;
  page?: number;
}
const of = (order_id: string) => ({ params: { path: { order_id } } });

export const orders = {
  list: (query: ListQuery, signal?: AbortSignal) =>
    body(client.GET("/api/v1/orders", { params: { query }, signal })),
  find: (id: string, signal?: AbortSignal) =>
    body(client.GET("/api/v1/orders/{order_id}", { ...of(id), signal })),
  create: (wanted: NewOrder) => body(client.POST("/api/v1/orders", { body: wanted })),
  move: (id: string, wanted: OrderMove) =>
    body(client.POST("/api/v1/orders/{order_id}/moves", { ...of(id), body: wanted })),
  assignees: (id: string, signal?: AbortSignal) =>
    body(client.GET("/api/v1/orders/{order_id}/assignees", { ...of(id), signal })),
  demand: (query: { since?: string; page?: number }, signal?: AbortSignal) =>
    body(client.GET("/api/v1/orders/demand", { params: { query }, signal })),
  venues: (signal?: AbortSignal) =>
    body(client.GET("/api/v1/venues", { params: { query: { page_size: 100 } }, signal })),
  classes: (signal?: AbortSignal) =>
    body(client.GET("/api/v1/live-classes", { params: { query: { page_size: 100 } }, signal })),
};
