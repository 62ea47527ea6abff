/** Texts of sign-in through a provider, English. */
import type { identitiesZh } from "./identities.zh-CN";

export const identitiesEn: typeof identitiesZh = {
  oidc: {
    or: "or",
    go: "Sign in with {label}",
    away: "{label} does not answer now. Please use your account and password.",
    refused: {
      down: "The sign-in service does not answer. Use your account and password, or try later.",
      cancelled: "You did not finish signing in. Try again, or use your account and password.",
      expired: "That took too long, or was used before. Please press the button again.",
      invalid: "We could not make sure who you are. Sign in again, or ask the administrator.",
      unknown: "No account belongs to this identity. Ask the administrator of your unit.",
      ambiguous: "Several accounts belong to this identity. Ask the administrator of your unit.",
      taken: "The account is linked to another identity. Ask the administrator of your unit.",
      disabled: "Your account is disabled. Ask the administrator of your unit.",
      admin: "Administrators sign in with their account and password.",
      throttled: "Too many attempts. Please try again later.",
    },
  },
  identities: {
    title: "Linked sign-in",
    hint: "You can sign in from there without a password.",
    since: "linked {at}",
    last: "last sign-in {at}",
    unlink: "Unlink",
    question:
      "Unlink {label}? Signing in from there links it again by what your unit has on record.",
    unlinked: "Unlinked",
  },
};
