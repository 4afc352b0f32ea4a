/**
 * Lines a second from a log to counted failures, one core, the log in memory in chunks of 64 kB.
 * The code is that of dist/: what tsx makes of the sources keeps names, which costs 7 %.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Detector } from "../../services/detection/dovecot-detector.ts";
import { percentile, type Figure } from "./figure.ts";
import { mixedMailLog, type MixedLog } from "./mail-log.ts";

const DETECTION = join(import.meta.dirname, "../../dist/services/detection");
const load = <T>(file: string) => import(pathToFileURL(join(DETECTION, file)).href) as Promise<T>;
const { createDetector } =
  await load<typeof import("../../services/detection/dovecot-detector.ts")>("dovecot-detector.js");
const { createLedger } = await load<
  typeof import("../../services/detection/attempts/attempt-ledger.ts")
>("attempts/attempt-ledger.js");
const { readLine } =
  await load<typeof import("../../services/detection/dovecot/read-line.ts")>(
    "dovecot/read-line.js",
  );

const { compileFilter } =
  await load<typeof import("../../services/detection/filter/filter.ts")>("filter/filter.js");
const { createFilterDetector } = await load<
  typeof import("../../services/detection/filter/filter-detector.ts")
>("filter/filter-detector.js");

/** What an administrator may have written for the same lines, and the one that design.md begins with. */
const FAILREGEX = [
  String.raw`dovecot.*pam_unix.*(?:authentication failure).*rhost=(?:::f{4,6}:)?(?P<host>\S*)`,
  String.raw`dovecot: (?:imap|pop3)-login: [^(]*\(auth failed, \d+ attempts in \d+ secs\)[^<]*user=<<F-USER>[^>]*</F-USER>>, .*rip=<HOST>,`,
  String.raw`dovecot: auth(?:-worker\(\d+\))?: [a-z-]+\([^,]*,<HOST>,[^)]*\): .*[Pp]assword mismatch`,
];

const CHUNK = 65_536;
const RUNS = 7;
const NEWLINE = 10;

export function run(): Promise<Figure[]> {
  const log = mixedMailLog({ lines: 400_000, failures: 6 });
  const failing = mixedMailLog({ lines: 200_000, failures: 100 });
  return Promise.resolve([
    {
      name: "parse",
      value: linesPerSecond(log),
      unit: "lines/s",
      beside: measurePeers(log),
    },
    {
      name: "parse, nothing but failures",
      value: linesPerSecond(failing),
      unit: "lines/s",
    },
    {
      name: "parse, custom filter of three expressions",
      value: filteredLinesPerSecond(log),
      unit: "lines/s",
      beside: measureSameFilter(log),
    },
    { name: "parse, worst hostile line of 64 kB", value: worstHostileLine(), unit: "µs" },
  ]);
}

/** Throws when other failures are found than there are. */
function linesPerSecond(log: MixedLog): number {
  const rates = Array.from({ length: RUNS }, () => {
    const detector = createDetector({ source: "mail", ledger: createLedger({ mode: "normal" }) });
    return timedFeed(detector, log, log.attempts);
  });
  return percentile(rates, 0.5);
}

/** Throws when another number of lines matches than by JavaScript's own expressions. */
function filteredLinesPerSecond(log: MixedLog): number {
  const native = FAILREGEX.map(
    (each) =>
      new RegExp(each.replace("<HOST>", "[0-9.]+").replace(/<F-USER>|<\/F-USER>|\?P<host>/g, "")),
  );
  const lines = log.bytes.toString().split("\n");
  const matching = lines.filter((line) => native.some((each) => each.test(line))).length;
  const rates = Array.from({ length: RUNS }, () => {
    const detector = createFilterDetector(compileFilter({ failregex: FAILREGEX }));
    return timedFeed(detector, log, matching);
  });
  return percentile(rates, 0.5);
}

function timedFeed(detector: Detector, { bytes, lines }: MixedLog, expected: number): number {
  let found = 0;
  const began = performance.now();
  for (let from = 0; from < bytes.length;) {
    const last = bytes.lastIndexOf(NEWLINE, from + CHUNK);
    const to = last < from ? bytes.length : last + 1;
    const failures = detector.feed(bytes.subarray(from, to), from, Date.now());
    for (const failure of failures) found += failure.attempts;
    from = to;
  }
  const rate = (lines * 1000) / (performance.now() - began);
  if (found !== expected) throw new Error(`found ${found} failed attempts of ${expected}`);
  return rate;
}

/** fail2ban-regex with its own Dovecot filter, and grep, on the same log. */
function measurePeers(log: MixedLog): Record<string, number> {
  return withLog(log, (path, lines, folder) => ({
    ...timed("fail2ban-regex", [partOf(log, folder), "dovecot"], lines / PART),
    ...timed("grep", ["-c", "auth failed", path], lines),
  }));
}

/** fail2ban-regex with the same expressions. */
function measureSameFilter(log: MixedLog): Record<string, number> {
  return withLog(log, (_path, lines, folder) => {
    const filter = join(folder, "own.conf");
    // Version 1 does not know (?P<host>) any more.
    const failregex = FAILREGEX.join("\n    ").replace(String.raw`(?P<host>\S*)`, "<HOST>");
    writeFileSync(filter, `[Definition]\nfailregex = ${failregex}\n`);
    return timed("fail2ban-regex", [partOf(log, folder), filter], lines / PART);
  });
}

/** What is slow gets one line in so many. */
const PART = 10;

function partOf({ bytes }: MixedLog, folder: string): string {
  const path = join(folder, "part.log");
  writeFileSync(
    path,
    bytes.subarray(0, bytes.lastIndexOf(NEWLINE, Math.floor(bytes.length / PART)) + 1),
  );
  return path;
}

function withLog(
  { bytes, lines }: MixedLog,
  measure: (path: string, lines: number, folder: string) => Record<string, number>,
): Record<string, number> {
  const folder = mkdtempSync(join(tmpdir(), "fleetban-parse-"));
  try {
    const path = join(folder, "mail.log");
    writeFileSync(path, bytes);
    return measure(path, lines, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function timed(program: string, args: string[], lines: number): Record<string, number> {
  try {
    const began = performance.now();
    execFileSync(program, args, { stdio: ["ignore", "pipe", "ignore"] }); // into /dev/null grep would end at the first match
    return { [program]: (lines * 1000) / (performance.now() - began) };
  } catch {
    return {}; // it is not installed
  }
}

/** Microseconds. What somebody might send as a name, up to the longest line that is looked at. */
function worstHostileLine(): number {
  const head = "2026-11-24T12:00:00.000000+00:00 mx1 dovecot: imap-login: Aborted login";
  const tail = "rip=198.51.100.7, lip=192.0.2.25, session=<dhXQXP1gB8nGM2QH>";
  const patterns = [
    "(",
    "<",
    " rip=",
    ", rip=9.9.9.9, lip=",
    "user=<",
    ": ",
    " (auth failed, 1 attempts",
    "\\",
    "é",
    "a ",
  ];
  let worst = 0;
  for (const pattern of patterns) {
    const name = pattern.repeat(Math.floor(65_000 / Buffer.byteLength(pattern)));
    for (const line of [
      `${head} (auth failed, 1 attempts in 2 secs): user=<${name}>, method=PLAIN, ${tail}`,
      `${head} ${name}, ${tail}`,
      `2026-11-24T12:00:00.000000+00:00 mx1 dovecot: auth: passwd-file(${name},198.51.100.7): Password mismatch`,
      `2026-11-24T12:00:00.000000+00:00 mx1 dovecot: pam_unix(dovecot:auth): authentication failure; ruser=${name} rhost=198.51.100.7`,
      name,
    ]) {
      const text = line.slice(0, 65_536);
      const times = Array.from({ length: 20 }, () => {
        const began = performance.now();
        readLine(text, 0);
        return 1000 * (performance.now() - began);
      });
      worst = Math.max(worst, percentile(times, 0.5));
    }
  }
  return worst;
}
