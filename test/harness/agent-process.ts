/** An agent of dist/ as a process of its own, in dry-run, and what it has published. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { writeFile } from "node:fs/promises";
import { DeliverPolicy, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { createDuplicateFilter } from "../../services/coordinator/decide/duplicate-filter.ts";
import { ensureStreams } from "../../services/coordinator/upkeep/ensure-streams.ts";
import type { StoredMessage } from "../../services/nats/delivery.ts";
import { followStream } from "../../services/nats/follow-stream.ts";
import { createLog } from "../../services/process/log.ts";
import { starting, type Release } from "../../services/process/release.ts";
import { startChild } from "../../services/standalone/child.ts";
import { decodeFailureBatch, type Failure } from "../../services/wire/failure.ts";
import { decodeHostStatus, type HostStatus } from "../../services/wire/status.ts";
import { FAILURES_STREAM } from "../../services/wire/subjects.ts";
import { eventually } from "./eventually.ts";
import { restartable, type Restartable } from "./restartable.ts";
import { startTestNats, type TestNats } from "./servers.ts";

const MAIN = resolve(import.meta.dirname, "../../dist/services/agent/main.js");

export interface TestAgent extends AsyncDisposable {
  agent: Restartable;
  nats: TestNats;
  connection: NatsConnection;
  /** The log that it reads; not there before the test writes it. */
  mailLog: string;
  /** Everything on the stream, as who counts sees it: what was seen before is dropped. */
  failures(): Promise<Failure[]>;
  /** How many failures have arrived on the stream, those seen before included. */
  arrived(): number;
}

export interface TestAgentOptions {
  startAt?: "end" | "beginning";
  /** Where it reads from, in place of the log file; given the test's folder. */
  source?: (folder: string) => string;
  /** Something to be there before it starts. */
  prepare?: (folder: string) => Promise<void>;
  /** More of agent.yaml. */
  yaml?: string;
  /** More of its environment. */
  env?: Readonly<Record<string, string>>;
}

/** What has started is ended when the agent does not come to work. */
export async function startTestAgent(options: TestAgentOptions = {}): Promise<TestAgent> {
  const [parts, release] = await starting((onRelease) => startParts(options, onRelease));
  return { ...parts, [Symbol.asyncDispose]: release };
}

async function startParts(
  options: TestAgentOptions,
  onRelease: (undo: Release) => void,
): Promise<Omit<TestAgent, keyof AsyncDisposable>> {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-agent-"));
  onRelease(() => rm(folder, { recursive: true, force: true }));
  const nats = await startTestNats();
  onRelease(async () => nats[Symbol.asyncDispose]());
  const connection = await connect({ servers: nats.url, maxReconnectAttempts: -1 });
  onRelease(() => connection.close());
  await ensureStreams(connection, {
    longestFindtime: 1200,
    replicas: 1,
    failuresMaxBytes: 2 ** 26,
  });
  const mailLog = join(folder, "mail.log");
  const config = join(folder, "agent.yaml");
  const startAt = options.startAt ?? "beginning";
  const where = options.source?.(folder) ?? `path: ${mailLog}`;
  const source = `{ name: mail-log, startAt: ${startAt}, ${where} }`;
  const yaml = `host: mx1\nfirewall: { backend: dry-run }\nsources: [${source}]\n`;
  await writeFile(config, `${yaml}${options.yaml ?? ""}`);
  const env = {
    ...process.env,
    NATS_URL: nats.url,
    FLEETBAN_STATE_DIR: join(folder, "state"),
    ...options.env,
  };
  await options.prepare?.(folder);
  const agent = await restartable((onOutput) =>
    startChild(process.execPath, { args: [MAIN, "run", "--config", config], env, onOutput }),
  );

  onRelease(() => agent.stop());
  await eventually("the agent is at work", () => agent.log().includes("agent is at work"), 30);

  let found: Failure[] = [];
  let seen = createDuplicateFilter(Date.now);
  let last = 0;
  let arrived = 0;
  const follower = {
    begin() {
      [found, seen, last, arrived] = [[], createDuplicateFilter(Date.now), 0, 0];
    },
    message({ data, subject, sequence }: StoredMessage) {
      const batch = decodeFailureBatch(data, subject);
      arrived += batch.failures.length;
      found.push(...seen.take(batch));
      last = sequence;
    },
    caughtUp() {},
  };
  const all = () => ({ deliver_policy: DeliverPolicy.All });
  const following = followStream(
    { connection, stream: FAILURES_STREAM, startFrom: all, log: createLog("test", "silent") },
    follower,
  );
  onRelease(() => {
    following.stop();
    return Promise.resolve();
  });
  const manager = await jetstreamManager(connection);

  async function failures(): Promise<Failure[]> {
    const { state } = await manager.streams.info(FAILURES_STREAM);
    return eventually("the stream is read", () => last >= state.last_seq && [...found]);
  }

  return {
    agent,
    nats,
    connection,
    mailLog,
    failures,
    arrived: () => arrived,
  };
}

/** The next status that the agent publishes. */
export async function statusOf({ connection }: TestAgent): Promise<HostStatus> {
  const subscription = connection.subscribe("fleetban.status.mx1");
  try {
    for await (const { data, subject } of subscription) return decodeHostStatus(data, subject);
  } finally {
    subscription.unsubscribe();
  }
  throw new Error("the subscription has ended");
}
