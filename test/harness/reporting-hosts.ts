/**
 * Mail hosts as a coordinator sees them: they report failures, follow the bans bucket and say that
 * they have applied it, as agents do. They have no log and no firewall, for tests of what stands
 * behind the coordinator.
 */
import { randomUUID } from "node:crypto";
import { jetstream, jetstreamManager, type JetStreamClient } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { bucketStream } from "../../services/nats/follow-bucket.ts";
import { parseAddress } from "../../services/wire/address.ts";
import { encodeFailureBatch, failureBatchId, type Failure } from "../../services/wire/failure.ts";
import { encodeHostStatus, type HostStatus } from "../../services/wire/status.ts";
import { BANS_BUCKET, failureSubject, statusSubject } from "../../services/wire/subjects.ts";

export interface ReportingHost extends AsyncDisposable {
  name: string;
  /** Reports one failed login. */
  fail(address: string, failure?: Partial<Failure> & { jail?: string }): Promise<void>;
  /** Many at once, in one batch. */
  failMany(failures: readonly Omit<Failure, "position">[], jail?: string): Promise<void>;
  /** Says nothing any more. */
  fallSilent(): void;
}

export interface ReportingHostOptions {
  connection: NatsConnection;
  name: string;
  /** What its status says otherwise than that of a host that is well. */
  status?: Partial<HostStatus>;
  /** Its clock less this machine's. */
  skewMs?: number;
}

const STATUS_EVERY_MS = 2_000;
const LOOK_EVERY_MS = 20;

export async function startReportingHost(options: ReportingHostOptions): Promise<ReportingHost> {
  const { connection, name, skewMs = 0 } = options;
  const js: JetStreamClient = jetstream(connection);
  const manager = await jetstreamManager(connection);
  const [instance, epoch] = [randomUUID(), `e${Date.now()}`];
  const startedAt = Date.now();
  const applied = { revision: 0, bansCreated: "", saidAt: 0 };
  let position = 0;
  let isSilent = false;

  async function look(): Promise<void> {
    const { created, state } = await manager.streams.info(bucketStream(BANS_BUCKET));
    const isSame = state.last_seq === applied.revision && created === applied.bansCreated;
    if (isSilent || (isSame && Date.now() - applied.saidAt < STATUS_EVERY_MS)) return;
    Object.assign(applied, { revision: state.last_seq, bansCreated: created, saidAt: Date.now() });
    connection.publish(statusSubject(name), encodeHostStatus(describe()));
  }

  function describe(): HostStatus {
    const now = Date.now() + skewMs;
    return {
      ...{ v: 1, host: name, instance, version: "0.1.0", firewall: "ipset" },
      ...{ startedAt, sentAt: now, appliedAt: now, repairs: 0 },
      ...{ revision: applied.revision, bansCreated: applied.bansCreated },
      ...{ bansInForce: applied.revision, addresses: [], refused: [], warnings: [] },
      sources: [
        {
          ...{ name: "mail-log", jail: "dovecot", state: "reading", lag: 0 },
          ...{ lines: position, failures: position, lastLineAt: now },
        },
      ],
      ...options.status,
    };
  }

  await look();
  const timer = setInterval(() => {
    // A server that the test has stopped does not answer.
    look().catch(() => {});
  }, LOOK_EVERY_MS);

  async function failMany(
    failures: readonly Omit<Failure, "position">[],
    jail = "dovecot",
  ): Promise<void> {
    const from = position;
    const placed = failures.map((failure) => {
      position += 1;
      return { ...failure, position };
    });
    const place = { host: name, jail, source: "mail-log", epoch, from, to: position };
    const batch = { v: 1, ...place, sentAt: Date.now() + skewMs, failures: placed } as const;
    const msgID = failureBatchId(batch);
    await js.publish(failureSubject(jail, name), encodeFailureBatch(batch), { msgID });
  }

  return {
    name,
    failMany,
    fail(address, { jail = "dovecot", ...failure } = {}) {
      const canonical = parseAddress(address);
      if (canonical === undefined) throw new Error(`${address}: is no address`);
      const usual = { address: canonical, at: Date.now() + skewMs, attempts: 1, form: "test" };
      return failMany([{ ...usual, ...failure }], jail);
    },
    fallSilent() {
      isSilent = true;
    },
    [Symbol.asyncDispose]() {
      clearInterval(timer);
      return Promise.resolve();
    },
  };
}
