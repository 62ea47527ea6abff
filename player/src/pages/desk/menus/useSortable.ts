/** Dragging by mouse or finger over lists that Vue draws: SortableJS says what was meant, we do it. */
import { onBeforeUnmount, watch, type Ref } from "vue";
import Sortable from "sortablejs";

export interface Dropped {
  id: string;
  /** Identifier of the list it was dropped into. */
  list: string;
  to: number;
}

export function useSortable(
  list: Ref<HTMLElement | null>,
  group: string,
  onDrop: (dropped: Dropped) => void,
): void {
  let sortable: Sortable | null = null;
  function begin(element: HTMLElement | null) {
    sortable?.destroy();
    sortable = null;
    if (!element) return;
    sortable = Sortable.create(element, {
      group,
      handle: ".handle",
      draggable: "[data-id]",
      animation: 120,
      onEnd: (event) => {
        const id = event.item.dataset.id;
        const into = event.to.dataset.list;
        const { oldDraggableIndex: from, newDraggableIndex: to } = event;
        // The page is Vue's: put the node back where it was, then change the menu.
        const rows = [...event.from.children].filter((row) => row !== event.item);
        event.from.insertBefore(event.item, rows[from ?? 0] ?? null);
        if (id === undefined || into === undefined || to === undefined) return;
        if (event.from === event.to && from === to) return;
        onDrop({ id, list: into, to });
      },
    });
  }
  watch(list, begin, { flush: "post" });
  onBeforeUnmount(() => sortable?.destroy());
}
