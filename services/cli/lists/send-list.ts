/** Sends a list in parts to a coordinator, with a bar, and sums up the replies. */
import type { AllowImportReply, BanImportReply } from "../../wire/list-import.ts";
import { FIRST } from "../../wire/reach.ts";
import { sideBySide } from "../../process/side-by-side.ts";
import { PlainError } from "../../process/exit.ts";
import type { Context } from "../context.ts";
import { createProgress } from "../progress.ts";
import { count } from "../../config/count.ts";

/** While one part is under way, the coordinator works on others. */
const AT_ONCE = 4;
/** At most this many reasons are shown; the others are counted. */
const SHOWN_REFUSALS = 20;

export type Outcome = Pick<BanImportReply, "added" | "kept" | "refused" | "refusedCount">;

export function partsOf<T>(rows: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let from = 0; from < rows.length; from += size) parts.push(rows.slice(from, from + size));
  return parts;
}

/** Below the largest message of NATS. */
const PART_BYTES = 700_000;

/** Parts of at most `size` rows that fit into one message each; `bytesOf` says how long a row is. */
export function partsThatFit<T>(
  rows: readonly T[],
  size: number,
  bytesOf: (row: T) => number,
): T[][] {
  const parts: T[][] = [];
  let bytes = Infinity;
  for (const row of rows) {
    const last = parts.at(-1);
    bytes += bytesOf(row);
    if (last && last.length < size && bytes <= PART_BYTES) last.push(row);
    else {
      parts.push([row]);
      bytes = bytesOf(row);
    }
  }
  return parts;
}

/** Throws the first error, with how far it has come. */
export async function sendParts<P extends { rows: readonly unknown[] }, R extends Outcome>(
  { output, now }: Pick<Context, "output" | "now">,
  parts: readonly P[],
  send: (part: P) => Promise<R>,
): Promise<R[]> {
  const total = parts.reduce((sum, { rows }) => sum + rows.length, 0);
  const describe = (done: number) => `${done} of ${total}`;
  const progress = createProgress({ total, describe, output, now });
  const replies: R[] = [];
  let done = 0;
  try {
    await sideBySide(parts, AT_ONCE, async (part) => {
      replies.push(await send(part));
      done += part.rows.length;
      progress.advance(part.rows.length);
    });
  } catch (error) {
    if (!(error instanceof PlainError) || done === 0) throw error;
    const hint = "give the same command again to go on";
    const text = `${error.message}; ${done} of ${count(total, "entry", "entries")} were done: ${hint}`;
    throw new PlainError(text, error.exitCode, { cause: error });
  } finally {
    progress.done();
  }
  return replies;
}

export function sumOf(replies: readonly Outcome[]): Outcome {
  const sum: Outcome = { added: 0, kept: 0, refused: [], refusedCount: 0 };
  for (const { added, kept, refused, refusedCount } of replies) {
    sum.added += added;
    sum.kept += kept;
    sum.refusedCount += refusedCount;
    sum.refused.push(...refused.slice(0, FIRST - sum.refused.length));
  }
  return sum;
}

export const sumLifted = (replies: readonly AllowImportReply[]) => ({
  liftedCount: replies.reduce((sum, reply) => sum + reply.liftedCount, 0),
  pending: replies.reduce((sum, reply) => sum + reply.pending, 0),
});

export function noteRefused({ output }: Pick<Context, "output">, outcome: Outcome): void {
  const { refused, refusedCount } = outcome;
  for (const { address, reason } of refused.slice(0, SHOWN_REFUSALS)) {
    output.note(`left out: ${address}: ${reason}`);
  }
  const more = refusedCount - Math.min(SHOWN_REFUSALS, refused.length);
  if (more > 0) output.note(`left out: ${more} more`);
}
