/** Pure: points as judges write them. */

export const MAX_POINTS = 100;

export function isWhole(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_POINTS;
}

/** The weighted mean, as the server computes it. */
export function computeMark(
  points: Readonly<Record<string, number>>,
  criteria: readonly { key: string; weight: number }[],
): number {
  const total = criteria.reduce((sum, one) => sum + one.weight, 0);
  const weighed = criteria.reduce((sum, one) => sum + one.weight * (points[one.key] ?? 0), 0);
  return total > 0 ? weighed / total : 0;
}
