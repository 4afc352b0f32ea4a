/** The recorders: each follows one stream of NATS, and writes it into the record. */
import type { NatsConnection } from "@nats-io/nats-core";
import { bucketStream } from "../../nats/follow-bucket.ts";
import type { Log } from "../../process/log.ts";
import { decodeBan } from "../../wire/ban.ts";
import { decodeFailureBatch } from "../../wire/failure.ts";
import { BANS_BUCKET, FAILURES_STREAM, SETTINGS_BUCKET } from "../../wire/subjects.ts";
import { byServersClock, storedAtOf } from "../decide/clock-correction.ts";
import { applyAllowed, decodeAllowedChange } from "./allowed.ts";
import { decodeAudited, insertAudited } from "./audit.ts";
import type { Database } from "./database.ts";
import { insertBanChanges } from "./insert.ts";
import { applyOperatorSettings, decodeOperatorSetting } from "./operator-settings.ts";
import { createPlaces } from "./place.ts";
import { Recorder, type RecorderOptions } from "./recorder.ts";
import { recordFailures } from "./reported.ts";
import type { WhereaboutsBook } from "./whereabouts.ts";

export interface Recorders {
  /** Why nothing is recorded now although PostgreSQL is there; undefined: it is. */
  stalled(): string | undefined;
  /** Messages of failures and bans that are not recorded yet; undefined: NATS does not tell. */
  lag(): Promise<number | undefined>;
  /** Revision of the bans bucket up to which everything is recorded. */
  recordedRevision(): Promise<number>;
  /** Whether NATS was found, since the last call, to have lost messages that are on record. */
  takeRolledBack(): boolean;
  stop(): Promise<void>;
}

export interface RecordersOptions {
  connection: NatsConnection;
  database: Database;
  whereabouts: WhereaboutsBook;
  /** Is it this coordinator that records, at this moment? */
  isLeader: () => boolean;
  log: Log;
}

type RunningRecorder = Pick<Recorder<never>, "progress" | "stalled" | "stop">;

type Common = Pick<RecorderOptions<never>, "connection" | "places" | "isLeader" | "log">;

export function startRecorders(options: RecordersOptions): Recorders {
  const { connection, database, whereabouts, isLeader, log } = options;
  let isRolledBack = false;
  const onRolledBack = () => {
    isRolledBack = true;
  };
  const common = { connection, places: createPlaces(database), isLeader, log };
  const failures = startFailureRecorder(common, database, whereabouts);
  const bans = startBanRecorder({ ...common, onRolledBack }, database);
  const settings = startSettingsRecorder({ ...common, onRolledBack }, database);

  return {
    stalled: () => failures.stalled() ?? bans.stalled() ?? settings.stalled(),
    async lag() {
      try {
        const [ofFailures, ofBans] = await Promise.all([failures.progress(), bans.progress()]);
        return ofFailures.waiting + ofBans.waiting;
      } catch {
        return undefined; // NATS may be away: then nothing is known of what waits there.
      }
    },
    recordedRevision: async () => (await bans.progress()).sequence,
    takeRolledBack() {
      const taken = isRolledBack;
      isRolledBack = false;
      return taken;
    },
    async stop() {
      await Promise.all([failures.stop(), bans.stop(), settings.stop()]);
    },
  };
}

function startFailureRecorder(
  common: Common,
  database: Database,
  whereabouts: WhereaboutsBook,
): RunningRecorder {
  return new Recorder({
    ...common,
    stream: FAILURES_STREAM,
    decode: (message) =>
      byServersClock(decodeFailureBatch(message.data, message.subject), storedAtOf(message)),
    record: (batches) =>
      database.ask(async (prisma) => {
        await recordFailures(prisma, batches, whereabouts);
        await whereabouts.recordNames(prisma);
      }),
  });
}

function startBanRecorder(
  common: Common & { onRolledBack: () => void },
  database: Database,
): RunningRecorder {
  return new Recorder({
    ...common,
    stream: bucketStream(BANS_BUCKET),
    decode: ({ data, subject, seq, headers }) =>
      // A mark that an entry was purged: its last state has been recorded before.
      headers?.get("KV-Operation") ? undefined : { ban: decodeBan(data, subject), revision: seq },
    record: (changes) => database.ask((prisma) => insertBanChanges(prisma, changes)),
  });
}

const isOfAllowlist = ({ subject }: { subject: string }) =>
  subject.startsWith(`$KV.${SETTINGS_BUCKET}.allow.`);

function startSettingsRecorder(
  common: Common & { onRolledBack: () => void },
  database: Database,
): RunningRecorder {
  return new Recorder({
    ...common,
    stream: bucketStream(SETTINGS_BUCKET),
    decode: (message) => ({
      allowed: isOfAllowlist(message) ? decodeAllowedChange(message) : undefined,
      operatorSetting: decodeOperatorSetting(message),
      audited: decodeAudited(message),
    }),
    record: (changes) =>
      database.ask(async (prisma) => {
        await applyAllowed(
          prisma,
          changes.flatMap(({ allowed }) => allowed ?? []),
        );
        await applyOperatorSettings(
          prisma,
          changes.flatMap(({ operatorSetting }) => operatorSetting ?? []),
        );
        await insertAudited(
          prisma,
          changes.flatMap(({ audited }) => audited ?? []),
        );
      }),
  });
}
