/**
 * The bans that fail2ban has in force: from its sqlite file, or from what
 * `fail2ban-client banned` has printed.
 */
import { execFileSync } from "node:child_process";
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import * as z from "zod";
import { EXIT, PlainError } from "../../process/exit.ts";
import { explainFileError, isErrno } from "../../process/file-error.ts";
import { parseNetwork, type Address } from "../../wire/address.ts";
import { quote } from "../visible.ts";

export interface Fail2banBan {
  /** fail2ban's name of it. */
  jail: string;
  address: Address;
  /** Seconds that are left of it; null: for ever; undefined: the file does not say. */
  seconds: number | null | undefined;
}

/** How every sqlite file begins (sqlite.org, fileformat2.html). */
const SQLITE_MAGIC = "SQLite format 3\u0000";

/**
 * Prints the rows as JSON: address, jail, when it was banned, for how many seconds. The table `bips`
 * holds the bans in force since fail2ban 0.11; before, `bans` holds every ban without its length.
 */
const READ_ROWS = `
import json, sqlite3, sys, urllib.parse
path = "file:" + urllib.parse.quote(sys.argv[1]) + "?mode=ro"
database = sqlite3.connect(path, uri=True, timeout=5)
tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
query = "SELECT ip, jail, timeofban, bantime FROM bips" if "bips" in tables else \\
    "SELECT ip, jail, MAX(timeofban), NULL FROM bans GROUP BY ip, jail"
print(json.dumps(list(database.execute(query))))
`;

const rows = z.array(z.tuple([z.string(), z.string(), z.number(), z.number().nullable()]));

/** Throws a PlainError when the file cannot be read or is none of the two forms. */
export function readFail2banBans(path: string, now: number): Fail2banBan[] {
  return isSqlite(path) ? readDatabase(path, now) : readPrinted(path);
}

/** Is it a file of sqlite? */
export const beginsSqlite = (bytes: Buffer): boolean =>
  bytes.toString("latin1", 0, SQLITE_MAGIC.length) === SQLITE_MAGIC;

function isSqlite(path: string): boolean {
  const head = Buffer.alloc(SQLITE_MAGIC.length);
  const file = open(path);
  try {
    readSync(file, head, 0, head.length, 0);
  } finally {
    closeSync(file);
  }
  return beginsSqlite(head);
}

function open(path: string): number {
  try {
    return openSync(path, "r");
  } catch (cause) {
    const reason = `cannot be read: ${explainFileError(cause)}`;
    throw new PlainError(`import: ${quote(path)}: ${reason}`, EXIT.noInput, { cause });
  }
}

function readDatabase(path: string, now: number): Fail2banBan[] {
  const found = rows.parse(JSON.parse(askPython(path)));
  return found.flatMap(([ip, jail, bannedAt, bantime]): Fail2banBan[] => {
    const address = parseNetwork(ip);
    if (address === undefined) return [];
    if (bantime === null) return [{ jail, address, seconds: undefined }];
    if (bantime < 0) return [{ jail, address, seconds: null }];
    const seconds = Math.ceil(bannedAt + bantime - now / 1000);
    return seconds > 0 ? [{ jail, address, seconds }] : [];
  });
}

/** fail2ban is written in Python, whose library reads sqlite files. */
function askPython(path: string): string {
  try {
    return execFileSync("python3", ["-c", READ_ROWS, path], {
      encoding: "utf8",
      maxBuffer: 2 ** 30,
      stdio: ["ignore", "pipe", "pipe"],
    });
  } catch (cause) {
    const reason = isErrno(cause, "ENOENT")
      ? "python3 is needed to read it; give what fail2ban-client banned prints in its place"
      : `expected fail2ban's database, got ${lastLine(cause)}`;
    throw new PlainError(`import: ${quote(path)}: ${reason}`, EXIT.noInput, { cause });
  }
}

function lastLine(error: unknown): string {
  const text = error instanceof Error && "stderr" in error ? String(error.stderr) : String(error);
  return text.trim().split("\n").at(-1) ?? "";
}

function readPrinted(path: string): Fail2banBan[] {
  const bans = parseBanned(readFileSync(path, "utf8"));
  if (bans !== undefined) return bans;
  const expected = "fail2ban.sqlite3, or what fail2ban-client banned prints";
  throw new PlainError(`import: ${quote(path)}: expected ${expected}`, EXIT.noInput);
}

/** `[{'sshd': ['192.0.2.1', '192.0.2.2']}, {'dovecot': []}]`; undefined: the text is none such. */
export function parseBanned(text: string): Fail2banBan[] | undefined {
  const jails = [...text.matchAll(/'([^']{1,200})': \[([^\]]*)\]/g)];
  if (jails.length === 0) return undefined;
  return jails.flatMap(([, jail = "", list = ""]) =>
    [...list.matchAll(/'([^']*)'/g)].flatMap(([, ip = ""]) => {
      const address = parseNetwork(ip);
      return address === undefined ? [] : [{ jail, address, seconds: undefined }];
    }),
  );
}
