/** Which seconds were really played, from the positions that a player reports. Pure, no clock. */

export type Played = [number, number];

const MAX_STEP_S = 3; // Between two reports while playing, at double speed in a slow browser.
const MAX_KEPT = 100; // Ranges in one report; the oldest go first.

export class PlayedRanges {
  private ranges: Played[] = [];
  private at_s: number | null = null;

  /** The player is here now; what lies between this and the report before was played. */
  move(position_s: number): void {
    const before_s = this.at_s;
    this.at_s = position_s;
    if (before_s === null) return;
    const step_s = position_s - before_s;
    if (step_s <= 0 || step_s > MAX_STEP_S) return; // A seek: nothing was played between.
    const last = this.ranges.at(-1);
    if (last?.[1] === before_s) last[1] = position_s;
    else this.ranges = [...this.ranges.slice(1 - MAX_KEPT), [before_s, position_s]];
  }

  get position_s(): number | null {
    return this.at_s;
  }

  /** Whole seconds since the last call. Ends are rounded, so ranges that touch still do. */
  take(): Played[] {
    const taken = this.ranges.map(([from, to]): Played => [Math.round(from), Math.round(to)]);
    this.ranges = [];
    return taken.filter(([from, to]) => from < to);
  }

  /** What could not be sent is sent with what comes next. */
  giveBack(ranges: readonly Played[]): void {
    this.ranges = [...ranges.map(([from, to]): Played => [from, to]), ...this.ranges].slice(
      -MAX_KEPT,
    );
  }
}
