/**
 * The lease as NATS stores it: one key of a bucket, changed by compare-and-set.
 *
 * The bucket says whose the lease is. It does not say until when: no host's clock is compared with
 * another's, so every coordinator measures by its own clock how long a revision has stood unchanged.
 */
import type { NatsConnection } from "@nats-io/nats-core";
import * as z from "zod";
import { createBucketWriter, isConflict } from "../../nats/compare-and-set.ts";
import { readLatest } from "../../nats/read-latest.ts";
import { decode, encode, instant, WireError } from "../../wire/codec.ts";
import { LEASE_BUCKET, LEASE_KEY } from "../../wire/subjects.ts";

/** The owner of the lease, and the time of its claim: two claims of one coordinator differ by it. */
export interface Claim {
  owner: string;
  /** By the owner's clock, epoch milliseconds. */
  takenAt: number;
}

export type StoredLease =
  | { state: "free"; revision: number } // The key was deleted, or never was (revision 0).
  | { state: "claimed"; revision: number; claim: Claim }
  | { state: "unreadable"; revision: number; reason: string }; // No coordinator has written that.

/** Somebody else has changed the lease first. */
export class LeaseTakenError extends Error {
  override name = "LeaseTakenError";
}

/** Each write names the revision that it replaces; it throws a LeaseTakenError where that is another. */
export interface LeaseBucket {
  read(): Promise<StoredLease>;
  /** Returns the new revision. */
  write(claim: Claim, replaced: number): Promise<number>;
  erase(replaced: number): Promise<void>;
}

const WRITE_WITHIN_MS = 2_000;
/** An ordinary shutdown does not wait for a NATS that has ended, too. */
const ERASE_WITHIN_MS = 1_000;

const leaseSchema = z.object({ v: z.literal(1), id: z.string().max(128), since: instant });

export function openLeaseBucket(connection: NatsConnection): LeaseBucket {
  const writer = createBucketWriter(connection, LEASE_BUCKET);

  return {
    async read() {
      const { revision, value } = await readLatest(connection, LEASE_BUCKET, LEASE_KEY);
      if (!value) return { state: "free", revision };
      try {
        const { id, since } = decode(leaseSchema, value, LEASE_KEY);
        return { state: "claimed", revision, claim: { owner: id, takenAt: since } };
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        return { state: "unreadable", revision, reason: error.message };
      }
    },
    write({ owner, takenAt }, replaced) {
      const value = encode(leaseSchema, { v: 1, id: owner, since: takenAt });
      return orTaken(writer.put(LEASE_KEY, value, replaced, WRITE_WITHIN_MS));
    },
    erase: (replaced) => orTaken(writer.erase(LEASE_KEY, "DEL", replaced, ERASE_WITHIN_MS)),
  };
}

async function orTaken<T>(written: Promise<T>): Promise<T> {
  try {
    return await written;
  } catch (error) {
    if (!isConflict(error)) throw error;
    throw new LeaseTakenError("another coordinator was quicker", { cause: error });
  }
}
