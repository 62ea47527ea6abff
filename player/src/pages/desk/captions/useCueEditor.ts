/** The cues of one track while they are edited: history, saving by itself, other people's changes. */
import { computed, onScopeDispose, ref, shallowRef } from "vue";
import { desk } from "@/api/desk";
import type { Captions, Cue } from "@/api/pipeline";
import { asProblem, type ApiProblem } from "@/api/problem";
import { safeStorage } from "@/app/preferences";
import type { EditedCue } from "@/media/cues";
import { History } from "@/media/history";
import { clearDraft, loadDraft, saveDraft } from "./draft";

const SAVE_AFTER_MS = 1_500; // A pause in typing.
const DRAFT_AFTER_MS = 400; // Not at every letter: two thousand cues are 200 kB.
const RETRY_AFTER_MS = 10_000;

export type SaveState = "saved" | "changed" | "saving" | "failed" | "conflict";

const edited = (cues: readonly Cue[]): EditedCue[] =>
  cues.map(({ start_ms, end_ms, text }, index) => ({ id: index + 1, start_ms, end_ms, text }));
const plain = (cues: readonly EditedCue[]): Cue[] =>
  cues.map(({ start_ms, end_ms, text }) => ({ start_ms, end_ms, text }));

export function useCueEditor(lectureId: string, captionsId: string) {
  const store = safeStorage();
  const track = shallowRef<Captions | null>(null);
  const cues = shallowRef<EditedCue[]>([]);
  const problem = shallowRef<ApiProblem | null>(null);
  const state = ref<SaveState>("saved");
  const saveProblem = shallowRef<ApiProblem | null>(null);
  const theirs = shallowRef<Captions | null>(null);
  const draft = shallowRef<Cue[] | null>(null);
  const steps = ref({ canUndo: false, canRedo: false });
  let history = new History<EditedCue[]>([]);
  let version = 0;
  let timer = 0;
  let draftTimer = 0;

  async function load(): Promise<void> {
    try {
      const found = await desk.captions(lectureId, captionsId);
      problem.value = null;
      begin(found);
      const left = loadDraft(store, captionsId);
      draft.value = left && JSON.stringify(left) !== JSON.stringify(found.cues) ? left : null;
    } catch (error) {
      problem.value = asProblem(error);
    }
  }

  function begin(found: Captions): void {
    track.value = found;
    version = found.version;
    history = new History(edited(found.cues));
    show();
    state.value = "saved";
  }

  function show(): void {
    cues.value = history.value;
    steps.value = { canUndo: history.canUndo, canRedo: history.canRedo };
  }

  /** One step; steps of one `kind` in a row are undone together. */
  function apply(next: EditedCue[], kind: string | null = null): void {
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
    window.clearTimeout(draftTimer);
    draftTimer = window.setTimeout(keepDraft, DRAFT_AFTER_MS);
    if (state.value === "conflict" || state.value === "saving") return;
    state.value = "changed";
    later(SAVE_AFTER_MS);
  }
  function keepDraft(): void {
    if (state.value !== "saved") saveDraft(store, captionsId, plain(history.value));
  }
  function later(after_ms: number): void {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => void save(), after_ms);
  }

  async function save(): Promise<void> {
    window.clearTimeout(timer);
    if (state.value === "saving" || state.value === "conflict" || state.value === "saved") return;
    const sent = history.value;
    state.value = "saving";
    try {
      const saved = await desk.saveCaptions(lectureId, captionsId, plain(sent), version);
      version = saved.version;
      saveProblem.value = null;
      state.value = "saved";
      if (history.value === sent) clearDraft(store, captionsId);
      else changed(); // Somebody kept typing meanwhile.
    } catch (error) {
      await refused(asProblem(error));
    }
  }

  async function refused(why: ApiProblem): Promise<void> {
    saveProblem.value = why;
    state.value = "failed";
    if (why.kind === "conflict") {
      try {
        theirs.value = await desk.captions(lectureId, captionsId);
        state.value = "conflict";
      } catch (error) {
        saveProblem.value = asProblem(error);
      }
    }
    if (state.value === "failed" && why.isRetryable) later(RETRY_AFTER_MS);
  }

  /** After a conflict: mine over theirs, or theirs with mine one undo away. */
  async function resolve(whose: "mine" | "theirs"): Promise<void> {
    const other = theirs.value;
    if (!other) return;
    version = other.version;
    theirs.value = null;
    saveProblem.value = null;
    if (whose === "theirs") {
      history.push(edited(other.cues));
      show();
      state.value = "saved";
      clearDraft(store, captionsId);
      return;
    }
    state.value = "changed";
    await save();
  }

  /** What an earlier visit could not save. */
  function takeDraft(): void {
    if (draft.value) apply(edited(draft.value));
    draft.value = null;
  }
  function dropDraft(): void {
    draft.value = null;
    clearDraft(store, captionsId);
  }

  const isUnsaved = computed(() => state.value !== "saved");
  function warn(event: BeforeUnloadEvent): void {
    if (isUnsaved.value) event.preventDefault();
  }
  function onHidden(): void {
    if (document.visibilityState === "hidden") void save();
  }
  window.addEventListener("beforeunload", warn);
  document.addEventListener("visibilitychange", onHidden);
  onScopeDispose(() => {
    window.removeEventListener("beforeunload", warn);
    document.removeEventListener("visibilitychange", onHidden);
    window.clearTimeout(draftTimer);
    keepDraft();
    void save();
  });

  return {
    ...{ track, cues, problem, state, saveProblem, theirs, draft, steps, isUnsaved },
    ...{ load, apply, undo, redo, save, resolve, takeDraft, dropDraft },
  };
}
