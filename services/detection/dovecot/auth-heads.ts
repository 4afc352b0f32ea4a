/**
 * The heads of auth lines: what Dovecot writes before a message.
 *
 *   auth: [LEVEL: ]DRIVER(USER[,IP][,master][,<SESSION>]): MESSAGE                 1.0 to 2.3
 *   auth(USER[,IP][,sasl:MECHANISM][,master])[<PID>][<SESSION>]: [LEVEL: ]MESSAGE  2.4
 *
 * USER is the client's text, of at most 64 bytes, and MESSAGE may hold more of it. A line can
 * therefore have several places where a head may end. Each place is one possible reading.
 */
import { parseAddress, type Address } from "../../wire/address.ts";
import {
  isKnown,
  readAuthMessage,
  silent,
  type AuthMessage,
  type SaidBy,
} from "./auth-messages.ts";

export interface AuthHead {
  user: string;
  /** undefined: a head without an address, as of a server that passes none on. */
  address: Address | undefined;
  session: string | undefined;
  isMaster: boolean;
  said: AuthMessage;
  /** The passdb or the mechanism that said so. */
  refusedBy: string;
}

export interface AuthHeads {
  heads: readonly AuthHead[];
  /** Heads of another version, which must agree, but are not likely. */
  unlikely: readonly AuthHead[];
  /** 2.4, where every passdb has a name of its own. */
  isNamed: boolean;
}

/** SASL mechanisms speak for themselves, before any passdb. */
const MECHANISMS = new Set(
  "plain login cram-md5 digest-md5 apop ntlm gssapi gss-spnego otp skey rpa anonymous external xoauth2 oauthbearer winbind-ntlm winbind-spnego scram-sha-1 scram-sha-256 scram-sha-1-plus scram-sha-256-plus dovecot-token".split(
    " ",
  ),
);

export function isMechanism(name: string): boolean {
  return MECHANISMS.has(name);
}

/** Dovecot cuts names to this many bytes (MAX_LOG_USERNAME_LEN in src/auth/auth-request.c). */
const MAX_USER = 64;
/** A syslog daemon that spells bytes as `M-c`, `\303` or `#303` makes a name longer. */
const MAX_SPELLED_USER = 4 * MAX_USER;
const SPELLED = /(?<!CRA)M[-^]|[\\#]\d{3}|\\x|\\u|\^[@-_]/;
/** `,2001:db8::1,sasl:scram-sha-256-plus,master`, `,<SESSION>`. */
const MAX_TAIL = 180;

/** `auth: `, `auth-worker(304): Info: conn unix:auth-worker (pid=1,uid=97): auth-worker<7>: `, `auth(default): `. */
const START_23 =
  /auth(?:-worker(?:\(\d{1,10}\))?|\(default\)|-worker\(default\))?: (?:(Debug|Info|Warning|Error|Fatal|Panic): )?(?:conn unix:[\w/.-]{1,100} \([\w=,]{1,60}\): )?(?:auth-worker<\d{1,12}>: )?(?:(Debug|Info|Warning|Error|Fatal|Panic): )?/y;
/** `auth(USER,`; and `auth(default): ` of 1.x, `auth-worker(304): ` of 2.2 and 2.3. */
const START_24 = /auth(?:-worker)?\(/y;

/** Every head that the text may have; undefined when no auth process wrote it. */
export function findHeads(text: string): AuthHeads | undefined {
  const older = findHeadsOfOld(text);
  START_24.lastIndex = 0;
  if (!START_24.test(text)) return older;
  const heads = findHeads24(text, START_24.lastIndex);
  if (older === undefined) return { heads, unlikely: [], isNamed: true };
  // A name may begin with `304): `. Both readings must agree; where they do, the old one holds.
  const unlikely = heads.filter(({ address }) => address !== undefined);
  if (older.heads.length === 0 && unlikely.length > 0) unlikely.push(SILENT);
  return { ...older, unlikely };
}

/** The heads of 1.0 to 2.3. */
function findHeadsOfOld(text: string): AuthHeads | undefined {
  START_23.lastIndex = 0;
  const start = START_23.exec(text);
  if (!start) return undefined;
  const level = start[1] ?? start[2];
  // The level stands before all client text: these lines are never attempts.
  const isSilent = level !== undefined && level !== "Info" && level !== "Error";
  const severity = level === "Error" ? "Error" : "Info";
  const heads = isSilent ? [SILENT] : findHeads23(text, START_23.lastIndex, severity);
  return { heads, unlikely: [], isNamed: false };
}

/** A line of another level: it is not an attempt. */
const SILENT: AuthHead = {
  user: "",
  address: undefined,
  session: undefined,
  isMaster: false,
  said: silent("").said,
  refusedBy: "",
};

/** `passwd-file(`: what stands before the user. */
const DRIVER = /([\w.-]{1,64})\(/y;

function findHeads23(text: string, from: number, level: "Info" | "Error"): AuthHead[] {
  DRIVER.lastIndex = from;
  const driver = DRIVER.exec(text)?.[1];
  if (driver === undefined) return [];
  const open = DRIVER.lastIndex;
  const heads: AuthHead[] = [];
  const last = Math.min(text.length, open + MAX_SPELLED_USER + MAX_TAIL);
  for (let at = text.indexOf("): ", open); at >= 0 && at < last; at = text.indexOf("): ", at + 1)) {
    const head = readHead23(text, open, at, driver, level);
    if (head) heads.push(head);
  }
  return likely(heads);
}

/** `USER[,IP][,master][,<SESSION>]` before `): ` at index `close`. */
function readHead23(
  text: string,
  open: number,
  close: number,
  driver: string,
  level: "Info" | "Error",
): AuthHead | undefined {
  let end = close;
  let session: string | undefined;
  if (text[end - 1] === ">") {
    const mark = text.lastIndexOf(",<", end);
    if (mark >= open && end - mark <= 80 && !/[()\s,]/.test(text.slice(mark + 2, end))) {
      session = text.slice(mark + 2, end - 1);
      end = mark;
    }
  }
  const named = readNamed(text, open, end);
  const by = readAuthMessage(text, close + 3, driver, level);
  if (named.address === undefined && session === undefined && !isKnown(by)) return undefined;
  return makeHead(named, session, by);
}

/** `)<PID><SESSION>: request [7]: Info: `; the worker has a process id, and no mechanism. */
const END_24 =
  /\)(<\d{1,10}>)?(?:<([^<>]{1,64})>)?: (?:request \[\d{1,12}\]: )?(?:([DIWEFP][a-z]{3,6}): )?/y;

function findHeads24(text: string, open: number): AuthHead[] {
  const heads: AuthHead[] = [];
  const last = Math.min(text.length, open + MAX_SPELLED_USER + MAX_TAIL);
  for (let at = text.indexOf(")", open); at >= 0 && at < last; at = text.indexOf(")", at + 1)) {
    END_24.lastIndex = at;
    const end = END_24.exec(text);
    const head = end && readHead24(text, open, at, end);
    if (head) heads.push(head);
  }
  return likely(heads);
}

/** `USER[,IP][,sasl:MECHANISM][,master]` before `)` at index `close`. */
function readHead24(
  text: string,
  open: number,
  close: number,
  [whole, pid, session, level]: RegExpExecArray,
): AuthHead | undefined {
  const isMaster = text.endsWith(",master", close);
  let end = isMaster ? close - 7 : close;
  const sasl = text.lastIndexOf(",sasl:", end);
  let mechanism = "";
  if (sasl >= open && end - sasl < 48 && /^[\w-]+$/.test(text.slice(sasl + 6, end))) {
    mechanism = text.slice(sasl + 6, end);
    end = sasl;
  }
  const named = readNamed(text, open, end);
  const isInfo = level === undefined || level === "Info";
  const by =
    isInfo || level === "Error"
      ? readAuthMessage(text, close + whole.length, mechanism, isInfo ? "Info" : "Error")
      : silent(mechanism);
  const isBare = mechanism === "" && (pid ?? session ?? level) === undefined;
  // Without any of these it is no attempt: another process has looked a user up.
  if (named.address === undefined && isBare) return undefined;
  return makeHead({ ...named, isMaster: isMaster || named.isMaster }, session, by);
}

interface Named {
  user: string;
  address: Address | undefined;
  isMaster: boolean;
}

/** `USER[,IP][,master]` from `open` to `end`. */
function readNamed(text: string, open: number, end: number): Named {
  const isMaster = text.endsWith(",master", end) && end - 7 > open;
  const behind = isMaster ? end - 7 : end;
  const comma = text.lastIndexOf(",", behind - 1);
  const isShort = comma >= open && behind - comma <= 50;
  const address = isShort ? parseAddress(text.slice(comma + 1, behind)) : undefined;
  const user = text.slice(open, address === undefined ? behind : comma);
  return { user, address, isMaster };
}

/** The heads whose names are as short as Dovecot writes them; where there is none, all of them. */
function likely(heads: AuthHead[]): AuthHead[] {
  if (heads.length < 2) return heads;
  const short = heads.filter(({ user }) => user.length <= MAX_USER || isSpelled(user));
  return short.length === 0 ? heads : short;
}

function isSpelled(user: string): boolean {
  return user.length <= MAX_SPELLED_USER && SPELLED.test(user);
}

/** Does the head's message report an attempt? */
export function isAttempt({ said }: AuthHead): boolean {
  return said.verdict !== "other" || said.isRight;
}

/** By hand: copies of objects would take longer than all the rest. */
export function makeHead(named: Named, session: string | undefined, by: SaidBy): AuthHead {
  const { user, address, isMaster } = named;
  return { user, address, session, isMaster, said: by.said, refusedBy: by.name };
}
