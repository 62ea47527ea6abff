/** Pages, their titles and who may open them. */
import { createRouter, createWebHistory, type RouteRecordRaw } from "vue-router";
import type { Ability } from "./abilities";
import HomePage from "@/pages/home/HomePage.vue";

declare module "vue-router" {
  interface RouteMeta {
    /** Key of the page's title. */
    title: string;
    /** Signed in at least. */
    isPersonal?: boolean;
    needs?: Ability;
    /** Which item of the navigation is the current one. */
    section?: string;
  }
}

/** A page that plays: its engine is large and comes while the page asks for its data. */
function withEngine<Page>(load: () => Promise<Page>): () => Promise<Page> {
  return () => {
    // A failed prefetch is no fault yet: the player asks again and says so.
    import("hls.js").catch(() => undefined);
    return load();
  };
}

const routes: RouteRecordRaw[] = [
  { path: "/", component: HomePage, meta: { title: "nav.home", section: "home" } },
  {
    path: "/live",
    component: () => import("@/pages/timetable/TimetablePage.vue"),
    meta: { title: "nav.live", section: "live" },
  },
  {
    path: "/classes/:id",
    component: withEngine(() => import("@/pages/classroom/ClassPage.vue")),
    props: true,
    meta: { title: "classroom.title", section: "live" },
  },
  {
    path: "/lectures",
    component: () => import("@/pages/library/LibraryPage.vue"),
    meta: { title: "nav.library", section: "library" },
  },
  {
    path: "/lectures/:id",
    component: withEngine(() => import("@/pages/lecture/LecturePage.vue")),
    props: true,
    meta: { title: "lecture.title", section: "library" },
  },
  {
    path: "/series",
    component: () => import("@/pages/series/SeriesListPage.vue"),
    meta: { title: "nav.series", section: "series" },
  },
  {
    path: "/series/:id",
    component: () => import("@/pages/series/SeriesPage.vue"),
    props: true,
    meta: { title: "nav.series", section: "series" },
  },
  {
    path: "/channels",
    component: () => import("@/pages/channels/ChannelsPage.vue"),
    meta: { title: "channels.title", section: "channels" },
  },
  {
    path: "/channels/:id",
    component: withEngine(() => import("@/pages/channels/ChannelPage.vue")),
    props: true,
    meta: { title: "channels.title", section: "channels" },
  },
  {
    path: "/desk/channels",
    component: () => import("@/pages/desk/channels/DeskChannelsPage.vue"),
    meta: { title: "channelDesk.title", needs: "edit", section: "desk" },
  },
  {
    path: "/learning",
    component: () => import("@/pages/learning/LearningPage.vue"),
    meta: { title: "learning.title", isPersonal: true, section: "account" },
  },
  {
    path: "/menus",
    component: () => import("@/pages/menus/MenusPage.vue"),
    meta: { title: "menus.title", isPersonal: true, section: "menus" },
  },
  {
    path: "/menus/:id",
    component: () => import("@/pages/menus/MenuPage.vue"),
    props: true,
    meta: { title: "menus.title", isPersonal: true, section: "menus" },
  },
  {
    path: "/desk/menus",
    component: () => import("@/pages/desk/menus/DeskMenusPage.vue"),
    meta: { title: "menuDesk.title", needs: "curate", section: "desk" },
  },
  {
    path: "/desk/menus/:id",
    component: () => import("@/pages/desk/menus/MenuEditorPage.vue"),
    props: true,
    meta: { title: "menuDesk.title", needs: "curate", section: "desk" },
  },
  {
    path: "/desk/recommendations",
    component: () => import("@/pages/desk/menus/SlotsPage.vue"),
    meta: { title: "slots.title", needs: "curate", section: "desk" },
  },
  {
    path: "/orders",
    component: () => import("@/pages/orders/OrdersPage.vue"),
    meta: { title: "orders.title", isPersonal: true, section: "orders" },
  },
  {
    path: "/orders/new",
    component: () => import("@/pages/orders/OrderNewPage.vue"),
    meta: { title: "orders.new", isPersonal: true, section: "orders" },
  },
  {
    path: "/orders/:id",
    component: () => import("@/pages/orders/OrderPage.vue"),
    props: true,
    meta: { title: "orders.one", isPersonal: true, section: "orders" },
  },
  {
    path: "/desk",
    component: () => import("@/pages/desk/tasks/DeskTasksPage.vue"),
    meta: { title: "tasks.title", isPersonal: true, section: "desk" },
  },
  {
    path: "/desk/course-list",
    component: () => import("@/pages/desk/courselist/CourseListPage.vue"),
    meta: { title: "courseList.title", needs: "edit", section: "desk" },
  },
  {
    path: "/venues",
    component: () => import("@/pages/venues/VenuesPage.vue"),
    meta: { title: "venues.title", section: "library" },
  },
  {
    path: "/venues/:id",
    component: () => import("@/pages/venues/VenuePage.vue"),
    props: true,
    meta: { title: "venues.title", section: "library" },
  },
  {
    path: "/films",
    component: () => import("@/pages/films/FilmsPage.vue"),
    meta: { title: "films.title", section: "library" },
  },
  {
    path: "/desk/venues",
    component: () => import("@/pages/desk/shelves/DeskVenuesPage.vue"),
    meta: { title: "venues.desk", needs: "edit", section: "desk" },
  },
  {
    path: "/desk/venues/:id",
    component: () => import("@/pages/desk/shelves/VenueEditorPage.vue"),
    props: true,
    meta: { title: "venues.desk", needs: "edit", section: "desk" },
  },
  {
    path: "/desk/instructors",
    component: () => import("@/pages/desk/shelves/DeskInstructorsPage.vue"),
    meta: { title: "pool.desk", needs: "edit", section: "desk" },
  },
  {
    path: "/desk/instructors/:id",
    component: () => import("@/pages/desk/shelves/InstructorEditorPage.vue"),
    props: true,
    meta: { title: "pool.desk", needs: "edit", section: "desk" },
  },
  {
    path: "/desk/orders",
    component: () => import("@/pages/desk/orders/DeskOrdersPage.vue"),
    meta: { title: "orderDesk.title", needs: "handle", section: "desk" },
  },
  {
    path: "/notices",
    component: () => import("@/pages/notices/NoticesPage.vue"),
    meta: { title: "notices.title", section: "home" },
  },
  {
    path: "/notices/:id",
    component: () => import("@/pages/notices/NoticePage.vue"),
    props: true,
    meta: { title: "notices.title", section: "home" },
  },
  {
    path: "/desk/notices",
    component: () => import("@/pages/desk/notices/DeskNoticesPage.vue"),
    meta: { title: "noticeDesk.title", needs: "edit", section: "desk" },
  },
  {
    path: "/desk/notices/:id",
    component: () => import("@/pages/desk/notices/NoticeEditorPage.vue"),
    props: true,
    meta: { title: "noticeDesk.edit", needs: "edit", section: "desk" },
  },
  {
    path: "/contests",
    component: () => import("@/pages/contests/ContestsPage.vue"),
    meta: { title: "contests.title", section: "library" },
  },
  {
    path: "/exhibitions/:id",
    component: withEngine(() => import("@/pages/contests/ExhibitionPage.vue")),
    props: true,
    meta: { title: "contests.title", section: "library" },
  },
  {
    path: "/judging",
    component: () => import("@/pages/contests/JudgingListPage.vue"),
    meta: { title: "judging.title", isPersonal: true, section: "account" },
  },
  {
    path: "/judging/:id",
    component: withEngine(() => import("@/pages/contests/JudgingPage.vue")),
    props: true,
    meta: { title: "judging.title", isPersonal: true, section: "account" },
  },
  {
    path: "/desk/contests",
    component: () => import("@/pages/desk/contests/DeskContestsPage.vue"),
    meta: { title: "contestDesk.title", needs: "edit", section: "desk" },
  },
  {
    path: "/desk/contests/:id",
    component: () => import("@/pages/desk/contests/ContestEditorPage.vue"),
    props: true,
    meta: { title: "contestDesk.edit", needs: "edit", section: "desk" },
  },
  {
    path: "/search",
    component: () => import("@/pages/search/SearchPage.vue"),
    meta: { title: "find.title", section: "search" },
  },
  {
    path: "/instructors",
    component: () => import("@/pages/instructors/InstructorsPage.vue"),
    meta: { title: "teachers.title", section: "library" },
  },
  {
    path: "/instructors/:id",
    component: () => import("@/pages/instructors/InstructorPage.vue"),
    props: true,
    meta: { title: "teachers.title", section: "library" },
  },
  {
    path: "/desk/review",
    component: () => import("@/pages/desk/review/ReviewQueuePage.vue"),
    meta: { title: "publication.queue", needs: "edit", section: "desk" },
  },
  {
    path: "/signin",
    component: () => import("@/pages/signin/SignInPage.vue"),
    meta: { title: "signin.title", section: "account" },
  },
  {
    path: "/account",
    component: () => import("@/pages/account/AccountPage.vue"),
    meta: { title: "account.title", isPersonal: true, section: "account" },
  },
  {
    path: "/studio",
    component: () => import("@/pages/studio/StudioListPage.vue"),
    meta: { title: "nav.studio", needs: "teach", section: "studio" },
  },
  {
    path: "/studio/:id",
    component: () => import("@/pages/studio/StudioPage.vue"),
    props: true,
    meta: { title: "studio.title", needs: "teach", section: "studio" },
  },
  {
    path: "/desk/classes",
    component: () => import("@/pages/desk/DeskClassesPage.vue"),
    meta: { title: "desk.classes", needs: "edit", section: "desk" },
  },
  {
    path: "/desk/lectures",
    component: () => import("@/pages/desk/DeskLecturesPage.vue"),
    meta: { title: "desk.lectures", needs: "edit", section: "desk" },
  },
  {
    path: "/desk/uploads",
    component: () => import("@/pages/desk/uploads/UploadsPage.vue"),
    meta: { title: "uploads.title", needs: "teach", section: "desk" },
  },
  {
    path: "/desk/jobs",
    component: () => import("@/pages/desk/jobs/JobsPage.vue"),
    meta: { title: "jobs.title", needs: "edit", section: "desk" },
  },
  {
    path: "/desk/jobs/:id",
    component: () => import("@/pages/desk/jobs/JobPage.vue"),
    props: true,
    meta: { title: "jobs.title", needs: "teach", section: "desk" },
  },
  {
    path: "/desk/lectures/:id",
    component: withEngine(() => import("@/pages/desk/lecture/DeskLecturePage.vue")),
    props: true,
    meta: { title: "desk.lecture", needs: "teach", section: "desk" },
  },
  {
    path: "/desk/lectures/:id/edit",
    component: withEngine(() => import("@/pages/desk/edit/EditPage.vue")),
    props: true,
    meta: { title: "edit.title", needs: "teach", section: "desk" },
  },
  {
    path: "/desk/lectures/:id/captions/:cid",
    component: withEngine(() => import("@/pages/desk/captions/CaptionsPage.vue")),
    props: true,
    meta: { title: "cues.pageTitle", needs: "teach", section: "desk" },
  },
  {
    path: "/admin/webhooks",
    component: () => import("@/pages/admin/webhooks/WebhooksPage.vue"),
    meta: { title: "webhooks.title", needs: "administer", section: "admin" },
  },
  {
    path: "/admin/storage",
    component: () => import("@/pages/admin/StoragePage.vue"),
    meta: { title: "storage.title", needs: "administer", section: "desk" },
  },
  {
    path: "/admin/units",
    component: () => import("@/pages/admin/people/UnitsPage.vue"),
    meta: { title: "org.title", needs: "organise", section: "admin" },
  },
  {
    path: "/admin/members",
    component: () => import("@/pages/admin/people/MembersPage.vue"),
    meta: { title: "people.title", needs: "organise", section: "admin" },
  },
  {
    path: "/admin/members/:id",
    component: () => import("@/pages/admin/people/MemberPage.vue"),
    props: true,
    meta: { title: "people.title", needs: "organise", section: "admin" },
  },
  {
    path: "/admin/roster",
    component: () => import("@/pages/admin/people/RosterPage.vue"),
    meta: { title: "roster.title", needs: "organise", section: "admin" },
  },
  {
    path: "/admin/member-lists",
    component: () => import("@/pages/admin/people/ListsPage.vue"),
    meta: { title: "people.lists", needs: "administer", section: "admin" },
  },
  {
    path: "/admin/accounts",
    component: () => import("@/pages/admin/AccountsPage.vue"),
    meta: { title: "admin.accounts", needs: "administer", section: "admin" },
  },
  {
    path: "/:rest(.*)*",
    component: () => import("@/pages/notfound/NotFoundPage.vue"),
    meta: { title: "notFound.title" },
  },
];

export interface Visitor {
  ensure: () => Promise<void>;
  isSignedIn: () => boolean;
  may: (ability: Ability) => boolean;
  /** Whoever came with a one-time code chooses a password before anything else. */
  mustChoosePassword?: () => boolean;
}

export function createPages(visitor: Visitor) {
  const router = createRouter({
    history: createWebHistory(),
    routes,
    scrollBehavior: (to, _from, saved) => saved ?? (to.hash ? { el: to.hash } : { top: 0 }),
  });
  router.beforeEach(async (to) => {
    const isOpen = ["/account", "/signin"].includes(to.path);
    if (visitor.mustChoosePassword?.() && !isOpen) return { path: "/account" };
    if (!to.meta.isPersonal && !to.meta.needs) return true;
    try {
      await visitor.ensure();
    } catch {
      return true; // The page itself says that the server cannot be reached, with a retry.
    }
    if (!visitor.isSignedIn()) return { path: "/signin", query: { next: to.fullPath } };
    if (to.meta.needs && !visitor.may(to.meta.needs)) return { path: "/" };
    return true;
  });
  return router;
}

/** Pure: where to go after signing in; only paths of this site. */
export function safeNext(next: unknown): string {
  if (typeof next !== "string" || !/^\/(?![/\\])/.test(next)) return "/";
  return next;
}
