/** A problem in a person's words. Pure, given `t`. */
import type { ApiProblem } from "@/api/problem";

type Translate = (key: string, values?: Record<string, unknown>) => string;

export interface ProblemText {
  title: string;
  hint: string;
}

export function problemText(problem: ApiProblem, lang: string, t: Translate): ProblemText {
  // The server's own sentence is Chinese and knows more, except about signing in and the network.
  const ownTitle = lang === "zh-CN" && problem.title !== "" ? problem.title : null;
  const hint =
    problem.kind === "throttled" && problem.retryAfter_s !== null
      ? t("error.waitSeconds", { seconds: Math.ceil(problem.retryAfter_s) })
      : t(`error.hint.${problem.kind}`);
  // Details are English sentences naming the field: useful beside a form, not instead of words.
  const isField = problem.kind === "invalid" && problem.detail !== "" && lang !== "zh-CN";
  return {
    title: ownTitle ?? t(`error.kind.${problem.kind}`),
    hint: isField ? problem.detail : hint,
  };
}
