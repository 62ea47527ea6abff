/** What was watched before signing in goes to the account, once. */
import { watching } from "@/api/watching";
import { ApiProblem } from "@/api/problem";
import { dropPoint, loadPoints } from "./resume";

/** Positions that the account has already are the newer ones: they stay. */
export async function movePoints(store: Storage): Promise<void> {
  const points = loadPoints(store);
  const known = new Set(
    (await watching.positions(points.map((one) => one.lecture_id))).map((one) => one.lecture_id),
  );
  for (const point of points) {
    try {
      if (!known.has(point.lecture_id)) {
        await watching.report(point.lecture_id, { position: point.position_s, ranges: [] });
      }
    } catch (error) {
      // Of a lecture that is gone nothing is kept; anything else is tried at the next sign-in.
      if (!(error instanceof ApiProblem) || error.status !== 404) throw error;
    }
    dropPoint(store, point.lecture_id);
  }
}
