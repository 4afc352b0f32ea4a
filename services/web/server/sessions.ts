/**
 * The sessions and login links of the page. A secret of 256 random bits stands for a session, in the
 * browser's cookie, or for a link, behind its `#`. The bucket knows only the hash of the secret.
 */
import { createHash, randomBytes } from "node:crypto";
import type { Asker } from "../../wire/askers.ts";
import type { Grant } from "../../wire/web-sessions.ts";
import type { SessionBucket } from "./session-bucket.ts";

/** A link is used within this time, or not at all. */
export const LINK_SECONDS = 60;
/** 32 bytes as base64url spells them. */
const SECRET = /^[\w-]{43}$/;

/** A person who has proved who they are, in whichever way. */
export type Person = Pick<Grant, "name" | "role" | "key" | "keyUntil">;

export interface Session {
  /** The hash of its secret; undefined: a proxy vouches for every request anew. */
  hash: string | undefined;
  name: string;
  role: Asker["role"];
  expiresAt: number;
}

export interface Sessions {
  /** Returns the secret for the cookie, beside the session. */
  start(person: Person): Promise<{ secret: string; session: Session }>;
  /** The session of a cookie. Throws where that cannot be known now. */
  find(secret: string): Promise<Session | undefined>;
  end(session: Session): Promise<void>;
  /** Returns the secret of a link that opens one session. */
  createLink(person: Person): Promise<string>;
  /** Uses up a link. */
  takeLink(secret: string): Promise<Person | undefined>;
}

export interface SessionsOptions {
  bucket: SessionBucket;
  /** How long a session lasts at most. */
  sessionMs: number;
  now: () => number;
}

export function createSessions({ bucket, sessionMs, now }: SessionsOptions): Sessions {
  const endOf = ({ keyUntil }: Person, lastsMs: number) =>
    Math.min(now() + lastsMs, keyUntil ?? Infinity);

  return {
    async start(person) {
      const secret = newSecret();
      const hash = hashOf(secret);
      const grant = { ...person, expiresAt: endOf(person, sessionMs) };
      await bucket.put("session", hash, grant);
      return { secret, session: sessionOf(hash, grant) };
    },
    async find(secret) {
      if (!SECRET.test(secret)) return undefined;
      const hash = hashOf(secret);
      const grant = await bucket.find(hash);
      return grant && sessionOf(hash, grant);
    },
    async end({ hash }) {
      if (hash !== undefined) await bucket.end(hash);
    },
    async createLink(person) {
      const secret = newSecret();
      const expiresAt = endOf(person, LINK_SECONDS * 1000);
      await bucket.put("link", hashOf(secret), { ...person, expiresAt });
      return secret;
    },
    async takeLink(secret) {
      return SECRET.test(secret) ? bucket.take(hashOf(secret)) : undefined;
    },
  };
}

export const newSecret = (): string => randomBytes(32).toString("base64url");

const hashOf = (secret: string) => createHash("sha256").update(secret).digest("hex");

const sessionOf = (hash: string, { name, role, expiresAt }: Grant): Session => ({
  ...{ hash, name, role, expiresAt },
});

/** As the record shows who has asked. */
export const askerOf = ({ role, name }: Pick<Session, "role" | "name">): Asker => ({
  role,
  by: `${role} ${name}`,
});
