/**
 * What people may ask of a coordinator, by role. NATS enforces this table on the subjects of
 * requests (rights.ts), and a coordinator enforces it on requests from the web page.
 */

import type { ApiErrorCode } from "./api.ts";

export const ASKER_ROLES = ["viewer", "support", "operator"] as const;
export type AskerRole = (typeof ASKER_ROLES)[number];

export function isAskerRole(role: string): role is AskerRole {
  return (ASKER_ROLES as readonly string[]).includes(role);
}

/** Verbs of the API that change nothing. */
const ASKING_VERBS = ["list", "show", "top"] as const;

/** Logging in to the web page: it gives nobody more rights than the asker has. */
const LOGIN = "web.login";

const ASKING = [...ASKING_VERBS.map((verb) => `*.${verb}`), LOGIN];

/** Requests as "NOUN.VERB", in which * stands for every noun or verb. */
export const REQUESTS_OF: Readonly<Record<AskerRole, readonly string[]>> = {
  viewer: ASKING,
  // Of these two only what concerns single addresses, see support-limits.ts of the coordinator.
  support: [...ASKING, "ban.remove", "allow.add"],
  operator: ["*.*"],
};

/** May somebody of this role ask that at all? */
export function mayAsk(role: AskerRole, endpoint: string): boolean {
  const [noun, verb] = endpoint.split(".");
  return REQUESTS_OF[role].some((pattern) => {
    const [wantedNoun, wantedVerb] = pattern.split(".");
    return (
      (wantedNoun === "*" || wantedNoun === noun) && (wantedVerb === "*" || wantedVerb === verb)
    );
  });
}

/** Who asks, as NATS or the web page's session vouches for it. */
export interface Asker {
  role: AskerRole;
  /** As the record shows it: "operator alice". */
  by: string;
}

/** Is `by`, as the record shows it, a person? */
export function isByPerson(by: string): boolean {
  return ASKER_ROLES.some((role) => by.startsWith(`${role} `));
}

export type Answered =
  /** The reply as JSON. */
  | { code: 200; reply: Uint8Array }
  /** The error is for a person. */
  | { code: ApiErrorCode; error: string };

/** `endpoint`: "ban.add". `asker` is undefined if nobody can be named. It never throws. */
export type Answer = (
  endpoint: string,
  request: Uint8Array,
  asker: Asker | undefined,
) => Promise<Answered>;
