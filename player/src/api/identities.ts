/** Sign-in through a provider: shapes and calls. */
import { call } from "./http";

export interface SignInProvider {
  is_enabled: boolean;
  is_reachable: boolean;
  label: string;
}
export interface LinkedIdentity {
  id: string;
  label: string;
  issuer: string;
  created_at: string;
  last_sign_in_at: string;
}

export const identities = {
  provider: (signal?: AbortSignal) => call<SignInProvider>("GET", "/api/v1/oidc", { signal }),
  own: (signal?: AbortSignal) =>
    call<{ items: LinkedIdentity[] }>("GET", "/api/v1/identities", { signal }),
  unlink: (id: string) => call<undefined>("DELETE", `/api/v1/identities/${id}`),
};

/** Where the browser goes to sign in there; it comes back to `next`. */
export const startPath = (next: string) => `/api/v1/oidc/start?${new URLSearchParams({ next })}`;
