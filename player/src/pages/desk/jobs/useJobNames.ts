/** Names of kinds and states; what is not known yet keeps the server's word. */
import { useI18n } from "vue-i18n";

export function useJobNames() {
  const { t, te } = useI18n();
  const known = (key: string, fallback: string) => (te(key) ? t(key) : fallback);
  return {
    kind: (kind: string) => known(`job.kind.${kind}`, kind),
    state: (state: string) => known(`job.state.${state}`, state),
    unit: (kind: string) => known(`unit.kind.${kind}`, kind),
    outcome: (outcome: string) => known(`jobs.outcome.${outcome}`, outcome),
  };
}
