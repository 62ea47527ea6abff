/** Where a task is done: the list of its kind, and the page of one of them. Pure. */
import type { TaskKind } from "@/api/tasks";

interface Place {
  list: string;
  one: (id: string) => string;
}
const lecture = (query: string): Place => ({
  list: `/desk/lectures${query}`,
  one: (id) => `/desk/lectures/${id}`,
});
const order = (list: string): Place => ({ list, one: (id) => `/orders/${id}` });

export const PLACES: Readonly<Record<TaskKind, Place>> = {
  orders_assigned: order("/orders?scope=assigned"),
  orders_overdue: order("/desk/orders?late=yes"),
  orders_new: order("/desk/orders?state=ordered"),
  lectures_failed: lecture("?state=failed"),
  reviews: { list: "/desk/review", one: (id) => `/desk/lectures/${id}` },
  classes_today: { list: "/live", one: (id) => `/classes/${id}` },
  lectures_draft: lecture("?publication=draft"),
  notices_draft: { list: "/desk/notices?standing=draft", one: (id) => `/desk/notices/${id}` },
  appointments: {
    list: "/desk/instructors",
    one: (id) => `/desk/instructors/${id}`,
  },
  lectures_obsolete: lecture(""),
  lectures_bare: lecture(""),
  lectures_silent: lecture(""),
};
