/**
 * Changes many bans at once: some writes at a time. The answer must come before the CLI gives up,
 * so what is not changed then is changed after it, and the log says when that is done.
 */
import { reasonOf } from "../../process/reason.ts";
import { setTimeout as sleep } from "node:timers/promises";
import type { Ban } from "../../wire/ban.ts";
import { FIRST } from "../../wire/reach.ts";
import { sideBySide } from "../../process/side-by-side.ts";
import type { Step } from "../buckets/ban-store.ts";
import type { ApiContext } from "./api-context.ts";

export interface ManyChanges {
  /** What was written first. */
  first: Ban[];
  changed: number;
  /** Bans that are not changed yet. */
  pending: number;
}

export interface Order {
  /** What is done, for the log: "lifts bans", and of what. */
  work: string;
  facts: object;
  /** What finishes the work, where NATS has failed in between. */
  remedy: string;
}

const AT_ONCE = 64;
const ANSWER_WITHIN_MS = 5_000;

export async function changeMany(
  { bans, log }: Pick<ApiContext, "bans" | "log">,
  found: readonly Ban[],
  step: (ban: Ban) => Step,
  { work, facts, remedy }: Order,
): Promise<ManyChanges> {
  const changes: ManyChanges = { first: [], changed: 0, pending: found.length };
  const all = sideBySide(found, AT_ONCE, async (ban) => {
    const written = await bans.change(ban.jail, ban.address, step(ban));
    changes.pending -= 1;
    if (!written) return;
    changes.changed += 1;
    if (changes.first.length < FIRST) changes.first.push(written.ban);
  });
  const isLate = await Promise.race([all, sleep(ANSWER_WITHIN_MS, "late", { ref: false })]);
  if (isLate === "late") {
    log.info({ ...facts, work, pending: changes.pending }, "changes many bans");
    all.then(
      () => log.info({ ...facts, work, changed: changes.changed }, "changed all of them"),
      (error: unknown) => {
        const reason = reasonOf(error);
        const { pending } = changes;
        log.error({ ...facts, work, reason, pending, remedy }, "not all bans were changed");
      },
    );
  }
  return { ...changes, first: [...changes.first] };
}
