/** The draft of one menu while it is edited: history, saving by itself, other editors' changes. */
import { onScopeDispose, ref, shallowRef } from "vue";
import { menus, type MenuContent, type MenuDraft, type MergedDraft } from "@/api/menus";
import { asProblem, type ApiProblem } from "@/api/problem";
import { History } from "@/media/history";

const SAVE_AFTER_MS = 1_200; // A pause in typing.
const RETRY_AFTER_MS = 10_000;

export type SaveState = "saved" | "changed" | "saving" | "failed" | "conflict";

export function useMenuEditor(id: string, onMerged: (by: string) => void) {
  const draft = shallowRef<MenuDraft | null>(null);
  const content = shallowRef<MenuContent | null>(null);
  const problem = shallowRef<ApiProblem | null>(null);
  const saveProblem = shallowRef<ApiProblem | null>(null);
  const merged = shallowRef<MergedDraft | null>(null);
  const state = ref<SaveState>("saved");
  const steps = ref({ canUndo: false, canRedo: false });
  let history = new History<MenuContent | null>(null);
  /** What the server has, as far as we know: where a merge begins. */
  let base: MenuContent | null = null;
  let version = 0;
  let timer = 0;
  let running: Promise<void> | null = null;

  async function load(): Promise<void> {
    try {
      begin(await menus.draft(id));
      problem.value = null;
    } catch (error) {
      problem.value = asProblem(error);
    }
  }
  function begin(found: MenuDraft): void {
    history = new History<MenuContent | null>(found.content);
    accept(found);
    state.value = "saved";
    show();
  }
  function accept(found: MenuDraft): void {
    draft.value = found;
    version = found.version;
    base = found.content;
  }
  function show(): void {
    content.value = history.value;
    steps.value = { canUndo: history.canUndo, canRedo: history.canRedo };
  }

  /** One step; steps of one `kind` in a row are undone together. */
  function apply(next: MenuContent, kind: string | null = null): void {
    if (next === history.value) return;
    history.push(next, kind);
    changed();
  }
  function undo(): void {
    history.undo();
    changed();
  }
  function redo(): void {
    history.redo();
    changed();
  }
  function changed(): void {
    show();
    if (state.value === "conflict") return;
    if (state.value !== "saving") state.value = "changed";
    later(SAVE_AFTER_MS);
  }
  function later(after_ms: number): void {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => void save(), after_ms);
  }

  /** Save what is there now; waits for a save that runs. True when the server has all of it. */
  async function save(): Promise<boolean> {
    window.clearTimeout(timer);
    if (running) await running;
    if (state.value === "conflict" || !history.value) return false;
    if (state.value === "saved") return true;
    running = send(history.value);
    await running;
    running = null;
    return (state.value as SaveState) === "saved";
  }

  async function send(sent: MenuContent): Promise<void> {
    state.value = "saving";
    try {
      accept(await menus.save(id, version, sent));
      saveProblem.value = null;
      if (history.value === sent) state.value = "saved";
      else {
        state.value = "changed"; // Somebody went on typing meanwhile.
        changed();
      }
    } catch (error) {
      await refused(asProblem(error));
    }
  }

  async function refused(why: ApiProblem): Promise<void> {
    saveProblem.value = why;
    state.value = "failed";
    if (why.kind === "conflict" && base && history.value) await merge(base, history.value);
    else if (why.isRetryable) later(RETRY_AFTER_MS);
  }

  /** Somebody saved meanwhile: what does not contradict goes together by itself. */
  async function merge(from: MenuContent, mine: MenuContent): Promise<void> {
    try {
      const found = await menus.merge(id, from, mine);
      saveProblem.value = null;
      if (found.conflicts.length > 0) {
        merged.value = found;
        state.value = "conflict";
        return;
      }
      settle(found.content, found.version);
      onMerged(found.saved_by ?? "");
    } catch (error) {
      saveProblem.value = asProblem(error);
      state.value = "failed";
      later(RETRY_AFTER_MS);
    }
  }

  /** Take a merged menu over what the server has, and save it. */
  function settle(whole: MenuContent, over: number): void {
    version = over;
    merged.value = null;
    state.value = "changed";
    history.push(whole);
    changed();
  }

  /** The answer of another operation is the draft as it is now. */
  function take(found: MenuDraft): void {
    const isSame = JSON.stringify(found.content) === JSON.stringify(base);
    accept(found);
    if (!isSame) {
      history.push(found.content);
      show();
    }
    state.value = "saved";
  }

  function onLeave(event: BeforeUnloadEvent): void {
    if (state.value !== "saved") event.preventDefault();
  }
  window.addEventListener("beforeunload", onLeave);
  onScopeDispose(() => {
    window.removeEventListener("beforeunload", onLeave);
    window.clearTimeout(timer);
    if (state.value === "changed") void save();
  });
  return {
    draft,
    content,
    problem,
    saveProblem,
    merged,
    state,
    steps,
    load,
    apply,
    undo,
    redo,
    save,
    settle,
    take,
  };
}
