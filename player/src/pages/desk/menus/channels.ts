/** Channels by name, for what a menu may lead to. */
import { call } from "@/api/http";

interface ChannelFound {
  id: string;
  title?: string;
  name?: string;
}

export async function findChannels(q: string): Promise<{ items: { id: string; title: string }[] }> {
  const page = await call<{ items: ChannelFound[] }>("GET", "/api/v1/channels", { query: { q } });
  const items = page.items.map((row) => ({ id: row.id, title: row.title ?? row.name ?? row.id }));
  return { items: items.filter((row) => row.title.includes(q)).slice(0, 8) };
}
