/** What an editor does to the tree, said aloud: every way of moving ends here. */
import { computed, nextTick, ref, type ShallowRef } from "vue";
import { useI18n } from "vue-i18n";
import type { ItemKind, MenuContent, MenuItem, TargetInfo } from "@/api/menus";
import { useAnnouncer } from "@/app/announcer";
import * as tree from "./tree";
import type { Dropped } from "./useSortable";

export function useTree(
  content: ShallowRef<MenuContent | null>,
  targets: () => readonly TargetInfo[],
  apply: (next: MenuContent, kind?: string | null) => void,
) {
  const { t } = useI18n();
  const announcer = useAnnouncer();
  const openId = ref<string | null>(null);
  const known = computed(
    () => new Map(targets().map((target) => [`${target.kind}:${target.id}`, target])),
  );

  function titleOf(menu: MenuContent, id: string): string {
    const at = tree.find(menu, id);
    if (!at) return "";
    const own = at.entry;
    const node = own ?? at.node;
    const target = own ? known.value.get(`${own.kind}:${own.target_id ?? ""}`) : undefined;
    return node.title || target?.title || t("menuEditor.untitled");
  }

  function tell(menu: MenuContent, id: string): void {
    const at = tree.find(menu, id);
    if (!at) return;
    const section = at.node;
    const title = titleOf(menu, id);
    announcer.say(
      at.item < 0
        ? t("menuEditor.movedSection", {
            title,
            place: at.section + 1,
            count: menu.sections.length,
          })
        : t("menuEditor.moved", {
            title,
            section: section.title || t("menuEditor.untitled"),
            place: at.item + 1,
            count: section.items.length,
          }),
      { isQuiet: true },
    );
  }

  /** Do it; where focus was on the moved line it stays there, also in another section. */
  async function move(id: string, next: MenuContent): Promise<void> {
    if (next === content.value) return;
    const focused = document.activeElement;
    apply(next);
    tell(next, id);
    await nextTick();
    // In another section the line is drawn anew; at the edge its button can do no more.
    const isStuck = focused instanceof HTMLButtonElement && focused.disabled;
    if (focused?.id === `handle-${id}` || isStuck || !focused?.isConnected) {
      document.getElementById(`handle-${id}`)?.focus();
    }
  }

  async function open(id: string | null): Promise<void> {
    openId.value = id;
    if (id === null) return;
    await nextTick();
    document.getElementById(`node-${id}-title`)?.scrollIntoView({ block: "nearest" });
  }

  return {
    openId,
    known,
    titleOf,
    step: (id: string, by: -1 | 1) => content.value && move(id, tree.step(content.value, id, by)),
    send(id: string, sectionId: string) {
      const menu = content.value;
      const to = menu?.sections.find((section) => section.id === sectionId)?.items.length ?? 0;
      if (menu) void move(id, tree.moveItem(menu, id, sectionId, to));
    },
    drop({ id, list, to }: Dropped) {
      const menu = content.value;
      if (menu)
        void move(id, list ? tree.moveItem(menu, id, list, to) : tree.moveSection(menu, id, to));
    },
    toggle: (id: string) => open(openId.value === id ? null : id),
    update(id: string, values: Partial<MenuItem>, field: string) {
      if (content.value) apply(tree.update(content.value, id, values), `${id}:${field}`);
    },
    remove(id: string) {
      const menu = content.value;
      if (!menu) return;
      const title = titleOf(menu, id);
      apply(tree.remove(menu, id));
      announcer.say(t("menuEditor.removed", { title }));
      document.getElementById("menu-tree")?.focus();
    },
    async addSection() {
      if (!content.value) return;
      const section = tree.newSection(t("menuEditor.newSection"));
      apply(tree.addSection(content.value, section));
      announcer.say(t("menuEditor.added", { title: section.title }), { isQuiet: true });
      await open(section.id);
      const field = document.getElementById(`node-${section.id}-title`) as HTMLInputElement | null;
      field?.focus();
      field?.select();
    },
    async addItem(sectionId: string, kind: ItemKind) {
      if (!content.value) return;
      const item = tree.newItem(kind);
      apply(tree.addItem(content.value, sectionId, item));
      announcer.say(t("menuEditor.added", { title: t(`menus.kind.${kind}`) }), { isQuiet: true });
      await open(item.id);
      const first = kind === "link" ? "url" : kind === "heading" ? "title" : "target";
      document.getElementById(`node-${item.id}-${first}`)?.focus();
    },
  };
}
