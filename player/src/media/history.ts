/** Undo and redo over values that never change. Pure state, no clock. */

const MAX_STEPS = 200; // The oldest steps are forgotten.

export class History<T> {
  private past: T[] = [];
  private future: T[] = [];
  private lastKind: string | null = null;

  constructor(private present: T) {}

  get value(): T {
    return this.present;
  }
  get canUndo(): boolean {
    return this.past.length > 0;
  }
  get canRedo(): boolean {
    return this.future.length > 0;
  }

  /** Steps of the same `kind` in a row (typing in one cue) are one step to undo. */
  push(next: T, kind: string | null = null): void {
    if (kind === null || kind !== this.lastKind) {
      this.past = [...this.past.slice(1 - MAX_STEPS), this.present];
    }
    this.present = next;
    this.future = [];
    this.lastKind = kind;
  }

  undo(): T {
    const before = this.past.pop();
    if (before !== undefined) {
      this.future.push(this.present);
      this.present = before;
    }
    this.lastKind = null;
    return this.present;
  }

  redo(): T {
    const after = this.future.pop();
    if (after !== undefined) {
      this.past.push(this.present);
      this.present = after;
    }
    this.lastKind = null;
    return this.present;
  }
}
