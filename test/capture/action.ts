/** The clients of a capture: one thing that they do, and how they say it. */
import { cramMd5, digestMd5, scramSha1 } from "./sasl.ts";
import type { Talk } from "./talk.ts";

export interface Action {
  what: string;
  port: number;
  isTls?: true;
  isIpv6?: true;
  /** So many connections at once, each of which does the same. */
  parallel?: number;
  /** Passwords that were looked at and refused, of one connection. */
  refused: number;
  /** Where only the connection's end is logged: what it tells; preset: all. */
  told?: number;
  /** The same of Dovecot 2.4. */
  told24?: number;
  /** Of `refused`, those that a proxy does not pass on to the server behind it. */
  refusedByProxy?: number;
  /** The last password is right. */
  isAccepted?: true;
  /** Needs what not every configuration has. */
  needs?:
    | ("mechanisms" | "master" | "oauth2" | "nologin" | "pop3")
    | ("denied" | "policy" | "no-userdb");
  /** Actions of one group have the same address, and happen at the same time. */
  group?: number;
  run: (talk: Talk) => Promise<void>;
}

export const IMAP = 143;
export const POP3 = 110;
export const FORGED = "x>, method=PLAIN, rip=9.9.9.9, lip=1.1.1.1, session=<AAAAAAAAAAAAAAAA>";

/** Says these lines one after another, then waits for the end of the connection. */
export const says =
  (...lines: readonly string[]) =>
  async (talk: Talk) => {
    for (const line of lines) await talk.say(line);
    await talk.close();
  };
export const login = (user: string, password: string) => `a1 LOGIN ${user} ${password}`;
export const quoted = (user: string) => `a1 LOGIN "${user.replace(/["\\]/g, "\\$&")}" wrong`;
export const wrong = login("alice", "wrong");
export const right = login("alice", "right");
export const bye = "a9 LOGOUT";

export const byCram = (user: string, password: string) => async (talk: Talk) => {
  const challenge = (await talk.say("a1 AUTHENTICATE CRAM-MD5")).slice(2);
  await talk.say(cramMd5(challenge, user, password));
};
export const byDigest = (user: string, password: string) => async (talk: Talk) => {
  const challenge = (await talk.say("a1 AUTHENTICATE DIGEST-MD5")).slice(2);
  await talk.say(digestMd5(challenge, user, password));
};
export const byScram = (user: string, password: string) => async (talk: Talk) => {
  const { first, last } = scramSha1(user, password);
  await talk.say("a1 AUTHENTICATE SCRAM-SHA-1");
  const challenge = (await talk.say(first)).slice(2);
  await talk.say(last(challenge));
};
export const thenBye =
  (...parts: readonly ((talk: Talk) => Promise<void>)[]) =>
  async (talk: Talk) => {
    for (const part of parts) await part(talk);
    await talk.say(bye);
    await talk.close();
  };
export const say =
  (...lines: readonly string[]) =>
  async (talk: Talk) => {
    for (const line of lines) await talk.say(line);
  };
