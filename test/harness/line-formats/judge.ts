/**
 * Holds the parser to what is true of a line.
 *
 * 1. No address but the client's is ever read, whatever the line says.
 * 2. No session but the client's is read: it would give his attempts to somebody else's connection.
 * 3. A line that tells of attempts counts them at the client's address, or is reported as not
 *    understood.
 * 4. A line that tells of none counts none.
 * 5. Hostile text changes nothing else that is read of the line.
 */
import { readLine } from "../../../services/detection/dovecot/read-line.ts";
import type { Reading } from "../../../services/detection/dovecot/reading.ts";
import { spell, spellPlain, type HostileLine } from "./hostile-line.ts";

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
  const reading = readLine(spell(line), READ_AT);
  if (reading.address !== undefined && !(skeleton.hasAddress && reading.address === facts.rip)) {
    return "another address";
  }
  if (reading.session !== undefined && reading.session !== facts.session) return "another session";
  const counted = countOf(reading);
  if (truth === "none" && counted > 0) return "counted, though nobody was refused";
  if (isReported(reading)) return undefined;
  if (truth === "attempt" && counted === 0) return "lost without a report";
  const expected = skeleton.parts.includes("attempts") ? Number(facts.attempts) : 1;
  if (truth === "attempt" && counted !== expected) return "a count of its own";
  const plain = readLine(spellPlain(line), READ_AT);
  if (reading.verdict === "success" && plain.verdict !== "success") return "taken for a login";
  if (skeleton.clientParts.some((part) => part === "reply" || part === "remote")) return undefined;
  return outcomeOf(reading) === outcomeOf(plain) ? undefined : "read otherwise than a plain line";
}

/** Attempts that the line itself adds to its client's address. */
function countOf({ stage, address, verdict, attempts }: Reading): number {
  const isRefused = verdict === "failure" || verdict === "aggressive";
  return stage !== undefined && address !== undefined && isRefused ? attempts : 0;
}

export const isReported = ({ form }: Reading): boolean => form?.endsWith("-unrecognized") ?? false;

/** All that detection goes by, without the client's own text. */
function outcomeOf(reading: Reading): string {
  const { form, verdict, stage, address, attempts, hidden, repeat, seconds } = reading;
  const { isRight, isMaster, refusedBy, at } = reading;
  const read = [form, verdict, stage, address, attempts, hidden, repeat, seconds];
  return JSON.stringify([...read, isRight, isMaster, refusedBy, at]);
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
