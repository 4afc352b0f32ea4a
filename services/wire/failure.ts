/**
 * The messages that an agent publishes: failures of one source, in batches.
 *
 * A position counts the bytes of a source from the start of its epoch, across
 * rotations, so positions only grow. An agent that restarts reads again from its
 * checkpoint and finds the same failures at the same positions. A reader that has
 * seen (host, source, epoch) up to a position drops failures up to that position. An
 * agent that cannot find its place in the log begins a new epoch.
 */
import * as z from "zod";
import { parseAddress } from "./address.ts";
import {
  decode,
  foreignText,
  hostAddress,
  instant,
  isStorableText,
  textOf,
  toBytes,
  WireError,
} from "./codec.ts";
import { INSTANT, spellInstant } from "./instants.ts";
import { JAIL_NAME, NAME } from "./subjects.ts";

export const failure = z.object({
  /** Where its line ends. */
  position: z.number().int().nonnegative(),
  address: hostAddress,
  at: instant,
  /** Failed attempts that this line added to what was counted before. */
  attempts: z.number().int().min(1).max(1000),
  user: foreignText.optional(),
  service: textOf(32).optional(),
  session: textOf(64).optional(),
  /** Name of the line form, as `fleetban explain` shows it. */
  form: textOf(64),
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

/** Its failures are read apart from it: see readFailure. */
const envelope = failureBatch.extend({ failures: z.array(z.unknown()).max(1000) });

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
  const batch = decode(envelope, bytes, subject);
  const [, , jail, host] = subject.split(".");
  if (batch.jail !== jail || batch.host !== host) {
    throw new WireError(`${subject}: names jail ${batch.jail} and host ${batch.host}`);
  }
  const failures = batch.failures.map(
    (value, index) => readFailure(value) ?? decodeFailure(value, `${subject}: failures.${index}`),
  );
  return { ...batch, failures };
}

function decodeFailure(value: unknown, what: string): Failure {
  const result = failure.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = [what, ...(issue?.path ?? [])].join(".");
  throw new WireError(`${where}: ${issue?.message ?? "invalid"}`, { cause: result.error });
}

/**
 * What the schema makes of a failure, without zod; undefined where that is to decide. A
 * coordinator that takes over reads a million, and zod takes four times as long.
 */
function readFailure(value: unknown): Failure | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const fields = value as Partial<Record<keyof Failure, unknown>>;
  const { position, address, at, attempts, user, service, session, form } = fields;
  if (typeof position !== "number" || !Number.isSafeInteger(position)) return undefined;
  if (typeof attempts !== "number" || !Number.isSafeInteger(attempts)) return undefined;
  if (position < 0 || attempts < 1 || attempts > 1000) return undefined;
  if (typeof address !== "string" || address.length > 45) return undefined;
  const canonical = parseAddress(address);
  if (canonical === undefined || canonical !== address) return undefined;
  if (typeof at !== "string" || !INSTANT.test(at)) return undefined;
  const instantOf = Date.parse(at);
  if (Number.isNaN(instantOf)) return undefined;
  if (!isStorable(form, 64) || form === undefined) return undefined;
  if (!isStorable(user, 256) || !isStorable(service, 32) || !isStorable(session, 64)) {
    return undefined;
  }
  return { position, address: canonical, at: instantOf, attempts, user, service, session, form };
}

/** Text that the schema would not change. */
function isStorable(value: unknown, longest: number): value is string | undefined {
  if (value === undefined) return true;
  return typeof value === "string" && value.length <= longest && isStorableText(value);
}
