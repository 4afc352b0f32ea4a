/**
 * A .creds file: the JWT that names a user and the user's rights, and the seed that proves it. This
 * file reads only the parts of the JWT that the user must know. NATS's server checks the JWT.
 */
import { readFileSync } from "node:fs";
import { EXIT, PlainError } from "../process/exit.ts";
import { isDenied, whyExposed, whyUnreadable } from "../process/private-file.ts";

export interface Credentials {
  /** The name in the credentials: the host of an agent, or an operator. */
  name: string;
  /** The only inbox that the user may read: the client's inboxPrefix; undefined: any inbox. */
  inbox: string | undefined;
  /** Epoch milliseconds; undefined: without end. */
  until: number | undefined;
  /** Names the user and the user's rights; signed by the account. */
  jwt: string;
  /** The secret half of the user's key. */
  seed: string;
  /** The public key of the account that has signed the JWT. */
  account: string;
  /** Such as "viewer", as fleetban key has made them; undefined: an earlier version has made them. */
  role: string | undefined;
}

/** Checked by hand: the CLI reads credentials at every start, and zod takes long to load. */
interface UncheckedClaims {
  name?: unknown;
  iss?: unknown;
  exp?: unknown;
  nats?: { sub?: { allow?: unknown } | null; tags?: unknown } | null;
}

const ROLE_TAG = "role:";

const JWT = /-----BEGIN NATS USER JWT-----\s+(\S+)\s+-+END NATS USER JWT-+/;
const SEED = /-----BEGIN USER NKEY SEED-----\s+(SU[A-Z2-7]{56})\s/;

/** Throws a PlainError: 78 if the file holds no credentials, 77 if it may not be read. */
export function readCredentials(file: string): Credentials {
  const text = readPrivately(file);
  const jwt = JWT.exec(text)?.[1];
  const seed = SEED.exec(text)?.[1];
  if (jwt === undefined || seed === undefined) {
    const expected = "expected a user's JWT and seed, as fleetban key writes them";
    throw new PlainError(`${file}: holds no credentials, ${expected}`, EXIT.config);
  }
  try {
    return { ...readClaims(jwt), jwt, seed };
  } catch (cause) {
    const text = `${file}: its JWT cannot be read, expected one that fleetban key has made`;
    throw new PlainError(text, EXIT.config, { cause });
  }
}

/** Throws if the JWT has no such claims. */
function readClaims(jwt: string): Omit<Credentials, "jwt" | "seed"> {
  const payload = Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString();
  const { name, iss: account, exp, nats } = JSON.parse(payload) as UncheckedClaims;
  if (typeof name !== "string" || typeof account !== "string") throw new TypeError("no names");
  if (exp !== undefined && typeof exp !== "number") throw new TypeError("no number as end");
  const inbox = textsIn(nats?.sub?.allow).find((subject) => subject.startsWith("_INBOX"));
  return {
    name,
    account,
    inbox: inbox?.replace(/\.>$/, ""),
    until: exp === undefined ? undefined : exp * 1000,
    role: textsIn(nats?.tags)
      .find((tag) => tag.startsWith(ROLE_TAG))
      ?.slice(ROLE_TAG.length),
  };
}

const textsIn = (list: unknown): string[] =>
  Array.isArray(list) ? list.filter((each) => typeof each === "string") : [];

/** Rejects a file that others can read, as ssh does with a key: they may know it by now. */
function readPrivately(file: string): string {
  try {
    const exposed = whyExposed(file);
    if (exposed !== undefined) throw new PlainError(`${file}: ${exposed}`, EXIT.config);
    return readFileSync(file, "utf8");
  } catch (cause) {
    if (cause instanceof PlainError || !(cause instanceof Error && "code" in cause)) throw cause;
    const code = isDenied(cause) ? EXIT.permission : EXIT.config;
    throw new PlainError(`${file}: cannot be read: ${whyUnreadable(file, cause)}`, code, { cause });
  }
}
