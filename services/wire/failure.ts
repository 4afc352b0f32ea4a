/**
 * What an agent publishes: failures of one source, in batches.
 *
 * A position counts the bytes of a source from the start of its epoch, across
 * rotations, so positions only grow. An agent that restarts reads again from its
 * checkpoint and finds the same failures at the same positions; who has seen
 * (host, source, epoch) up to a position drops what is not beyond it. An agent
 * that cannot prove that it goes on where it was begins a new epoch.
 */
import { z } from "zod";
import {
  decode,
  foreignText,
  hostAddress,
  instant,
  spellInstant,
  toBytes,
  WireError,
} from "./codec.ts";
import { JAIL_NAME, NAME } from "./subjects.ts";

export const failure = z.object({
  /** Where its line ends. */
  position: z.number().int().nonnegative(),
  address: hostAddress,
  at: instant,
  /** Failed attempts that this line added to what was counted before. */
  attempts: z.number().int().min(1).max(1000),
  user: foreignText.optional(),
  service: z.string().max(32).optional(),
  session: z.string().max(64).optional(),
  /** Name of the line form, as `fleetban explain` shows it. */
  form: z.string().max(64),
});
export type Failure = z.infer<typeof failure>;

export const failureBatch = z.object({
  v: z.literal(1),
  host: z.string().regex(NAME),
  jail: z.string().regex(JAIL_NAME),
  source: z.string().regex(NAME),
  epoch: z.string().regex(NAME),
  /** By the host's own clock, which is that of its log: NATS says by how much it is wrong. */
  sentAt: instant,
  /** The batch covers the lines that end after `from` and not after `to`. */
  from: z.number().int().nonnegative(),
  to: z.number().int().nonnegative(),
  failures: z.array(failure).max(1000),
});
export type FailureBatch = z.infer<typeof failureBatch>;

/** The batch's `Nats-Msg-Id`. */
export function failureBatchId(batch: Omit<FailureBatch, "sentAt">): string {
  return `${batch.host}/${batch.source}/${batch.epoch}/${batch.to}`;
}

export function encodeFailureBatch(batch: FailureBatch): Uint8Array {
  const failures = batch.failures.map((each) => ({ ...each, at: spellInstant(each.at) }));
  return toBytes({ ...batch, sentAt: spellInstant(batch.sentAt), failures });
}

/**
 * Throws a WireError, also when the batch names another jail or host than
 * `subject`, which is all that NATS has checked the sender's right to.
 */
export function decodeFailureBatch(bytes: Uint8Array, subject: string): FailureBatch {
  const batch = decode(failureBatch, bytes, subject);
  const [, , jail, host] = subject.split(".");
  if (batch.jail !== jail || batch.host !== host) {
    throw new WireError(`${subject}: names jail ${batch.jail} and host ${batch.host}`);
  }
  return batch;
}
