/**
 * Holds the parser to what is true of a line.
 *
 * 1. No address but the client's is ever read, whatever the line says.
 * 2. No session but the client's is read: it would give his attempts to somebody else's connection.
 * 3. A line that tells of attempts counts them at the client's address, or is reported as not
 *    understood.
 * 4. A line that tells of none counts none.
 * 5. Hostile text changes nothing else that is read of a line that may tell of an attempt.
 */
import { readLine } from "../../../services/detection/dovecot/read-line.ts";
import type { Reading } from "../../../services/detection/dovecot/reading.ts";
import type { Truth } from "./format-table.ts";
import { isCut, spell, spellHarmless, type HostileLine } from "./hostile-line.ts";

/** When the lines are read: soon after their stamp. */
export const READ_AT = Date.UTC(2026, 2, 4);

export type Fault =
  | "another address"
  | "another session"
  | "a count of its own"
  | "counted, though nobody was refused"
  | "lost without a report"
  | "taken for a login"
  | "read otherwise than a plain line";

export function findFault(line: HostileLine): Fault | undefined {
  const { skeleton, facts } = line;
  const { truth } = skeleton.format;
  const text = spell(line);
  const reading = readLine(text, READ_AT);
  const counted = countOf(reading);
  if (counted > 0 && isOfNobody(truth)) return "counted, though nobody was refused";
  if (truth === "forged") return undefined;
  if (isUsed(reading)) {
    const isOfClient = skeleton.hasAddress && reading.address === facts.rip;
    if (reading.address !== undefined && !isOfClient) return "another address";
    if (reading.session !== undefined && reading.session !== facts.session)
      return "another session";
  }
  // What a syslog daemon has cut off cannot be asked for.
  if (reading.isUnrecognized || isCut(line)) return undefined;
  if (truth === "attempt" && counted === 0) return "lost without a report";
  if (truth === "attempt" && counted !== attemptsOf(line)) return "a count of its own";
  const plain = readLine(spellHarmless(line), READ_AT);
  // A plain text may be the longer one, and its line be one that a daemon may have cut.
  if (plain.isUnrecognized) return undefined;
  if (reading.verdict === "success" && plain.verdict !== "success") return "taken for a login";
  // What another server says, a client may make it say; of lines that count nothing no more is asked.
  const isFree = skeleton.clientParts.some((part) => part === "reply" || part === "remote");
  if (truth === "none" || isFree) return undefined;
  return outcomeOf(reading) === outcomeOf(plain) ? undefined : "read otherwise than a plain line";
}

/** How many attempts a line of `attempt` tells of. */
export function attemptsOf({ skeleton, facts }: HostileLine): number {
  return skeleton.parts.includes("attempts") ? Number(facts.attempts) : 1;
}

const isOfNobody = (truth: Truth): boolean => truth === "none" || truth === "forged";

/** The ledger passes over all other readings. */
const isUsed = ({ stage }: Reading): boolean => stage !== undefined;

/** Attempts that the line itself adds to its client's address. */
export function countOf({ stage, address, verdict, attempts }: Reading): number {
  const isRefused = verdict === "failure" || verdict === "aggressive";
  return stage !== undefined && address !== undefined && isRefused ? attempts : 0;
}

/** All that detection goes by, but the client's own text and the session, which is judged before. */
function outcomeOf(reading: Reading): string {
  const { form, verdict, stage, address, attempts, hidden, repeat, seconds, at } = reading;
  const read = [form, verdict, stage, address, attempts, hidden, repeat, seconds, at];
  return JSON.stringify([...read, reading.isRight, reading.isMaster, reading.refusedBy]);
}

/** What differs between two readings, in words. */
export function describeDifference(line: HostileLine): string {
  const [hostile, plain] = [spell(line), spellHarmless(line)].map((text) =>
    readLine(text, READ_AT),
  );
  const values = new Map(Object.entries(plain ?? {}));
  return Object.entries(hostile ?? {})
    .filter(([name, value]) => name !== "user" && value !== values.get(name))
    .map(([name, value]) => `${name}: ${String(value)}, not ${String(values.get(name))}`)
    .join("; ");
}

/** The same fault with as little hostile text as it takes. */
export function simplify(line: HostileLine, fault: Fault): HostileLine {
  let simplest = line;
  for (const part of line.skeleton.clientParts) {
    for (let size = 512; size >= 1; size = Math.floor(size / 2)) {
      for (let from = 0; from < (simplest.texts[part] ?? "").length;) {
        const text = simplest.texts[part] ?? "";
        const shorter = text.slice(0, from) + text.slice(from + size);
        const tried = { ...simplest, texts: { ...simplest.texts, [part]: shorter } };
        if (findFault(tried) === fault) simplest = tried;
        else from += size;
      }
    }
  }
  return simplest;
}
