/** Why a connection to NATS does not come about, and what to do about it, in one line. */
import { reasonOf } from "../process/reason.ts";
import { AuthorizationError, UserAuthenticationExpiredError } from "@nats-io/nats-core";
import { readCredentials, type Credentials } from "./credentials.ts";
import { PlainError } from "../process/exit.ts";
import type { NatsConfig } from "./nats-config.ts";

/**
 * refused: the server does not take these credentials. untrusted: its certificate is not to be
 * trusted. away: nobody answers. All three may heal without a restart.
 */
export interface Trouble {
  kind: "refused" | "untrusted" | "away";
  text: string;
}

/** Node's error codes for a certificate that an unknown authority has signed. */
const UNKNOWN_SIGNER: ReadonlySet<unknown> = new Set([
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

/** The error codes of getaddrinfo and connect, in words. */
const NETWORK_WORDS: Readonly<Record<string, string>> = {
  EAI_AGAIN: "no name server answers for its name",
  ENOTFOUND: "there is no host of this name",
  EHOSTUNREACH: "there is no way to this host",
  ENETUNREACH: "there is no way to its network",
};

export function explainTrouble(error: unknown, config: NatsConfig, now: number): Trouble {
  if (error instanceof AuthorizationError || error instanceof UserAuthenticationExpiredError) {
    return { kind: "refused", text: explainRefusal(config, now) };
  }
  const { cause, code } = causeWithCode(error);
  if (UNKNOWN_SIGNER.has(code)) return { kind: "untrusted", text: explainSigner(config) };
  const clock = `this machine's clock says ${new Date(now).toISOString()}`;
  if (code === "CERT_HAS_EXPIRED") {
    const remedy = "fleetban key server NAME --renew makes a new one";
    const text = `the NATS server's certificate has expired; ${clock}: if that is right, ${remedy}`;
    return { kind: "untrusted", text };
  }
  if (code === "CERT_NOT_YET_VALID") {
    const text = `the NATS server's certificate is not valid yet; ${clock}: set the clock right`;
    return { kind: "untrusted", text };
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return { kind: "untrusted", text: explainName(cause) };
  }
  const text = reasonOf(error);
  return { kind: "away", text: NETWORK_WORDS[String(code)] ?? text };
}

function explainRefusal({ creds, user }: NatsConfig, now: number): string {
  if (creds === undefined) {
    return user === undefined
      ? "the NATS server wants credentials: set nats.creds"
      : `the NATS server refuses user "${user}" with this password`;
  }
  let credentials: Credentials;
  try {
    credentials = readCredentials(creds);
  } catch (error) {
    if (error instanceof PlainError) return error.message;
    throw error;
  }
  const { name, until } = credentials;
  const end = until === undefined ? "" : new Date(until).toISOString();
  if (until !== undefined && until <= now) {
    // The day alone: the same text is logged once.
    const clock = `this machine's clock says ${new Date(now).toISOString().slice(0, 10)}`;
    const remedy = "if that is right, bring new ones, fleetban key makes them with --renew";
    return `${creds}: the credentials of ${name} have expired, at ${end}; ${clock}: ${remedy}`;
  }
  const expired =
    until === undefined ? "" : `, or by its clock they have expired, which they do at ${end}`;
  return `${creds}: the NATS server refuses the credentials of ${name}: they were revoked, or are of another fleet${expired}: bring new ones of this fleet`;
}

function explainSigner({ ca }: NatsConfig): string {
  const wanted =
    "the certificate of that authority, the ca.pem of this fleet's keys unless you have your own";
  return ca === undefined
    ? `nobody whom this system knows has signed the NATS server's certificate: set nats.ca to ${wanted}`
    : `${ca}: is not who has signed the NATS server's certificate: expected ${wanted}`;
}

/** Node's error tells which name was asked for, and which the certificate has. */
function explainName(cause: unknown): string {
  const host = fieldOf(cause, "host");
  const names = fieldOf(fieldOf(cause, "cert"), "subjectaltname");
  const found = typeof names === "string" ? ` but for ${names}` : "";
  const asked = typeof host === "string" ? `"${host}"` : "the name in nats.url";
  const remedy = "use a name that it has, or make one with fleetban key server NAME --renew";
  return `the NATS server's certificate is not for ${asked}${found}: ${remedy} --address`;
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !(name in value)) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}

/** The first in the chain of causes that has a code. */
function causeWithCode(error: unknown): { cause: unknown; code: unknown } {
  for (let cause = error, depth = 0; depth < 5; depth += 1) {
    const code = fieldOf(cause, "code");
    if (code !== undefined) return { cause, code };
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return { cause: undefined, code: undefined };
}
