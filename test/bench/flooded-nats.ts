/**
 * What a client that floods NATS costs its server in memory: a mail host's own credentials, used for
 * as many consumers, connections and requests as the account's limits let it have.
 */
import { readFileSync } from "node:fs";
import { AckPolicy, DeliverPolicy, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { ensureStreams } from "../../services/coordinator/upkeep/ensure-streams.ts";
import { startSecuredFleet, type SecuredFleet } from "../harness/secured-fleet.ts";
import type { Figure } from "./figure.ts";

const STREAM = "KV_fleetban_bans";
const REQUESTS = 200_000;
const AT_ONCE = 20;
/** More than any limit lets through. */
const MORE_THAN_ALLOWED = 100_000;

export async function measureFlood(): Promise<Figure[]> {
  await using fleet = await startSecuredFleet();
  const centre = await fleet.connect(await fleet.credentials("coordinator", "c1"));
  await ensureStreams(centre, { longestFindtime: 1200, replicas: 1, failuresMaxBytes: 2 ** 26 });
  const creds = await fleet.credentials("agent", "mx1");
  const memory = () => residentMegabytes(fleet.server.pid());
  const figures: Figure[] = [];
  const note = (what: string, value: number, unit: string) =>
    figures.push({ name: `flooded NATS, ${what}`, value, unit });

  note("at rest", memory(), "MB");
  const connection = await fleet.connect(creds);
  note("consumers it may make", await makeConsumers(connection), "consumers");
  note("with these consumers", memory(), "MB");
  await sendRequests(connection);
  note(`after ${REQUESTS} requests besides`, memory(), "MB");
  note("connections it may open", await openConnections(fleet, creds), "connections");
  note("with these connections besides", memory(), "MB");
  return figures;
}

/** Consumers that stay for an hour; returns how many there are when NATS makes no more. */
async function makeConsumers(connection: NatsConnection): Promise<number> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const settings = {
    ...{ ack_policy: AckPolicy.None, deliver_policy: DeliverPolicy.All },
    inactive_threshold: 3_600e9, // nanoseconds
  };
  connection.subscribe("_INBOX.agent.mx1.flood.*", { callback: () => {} });
  for (let made = 0; made < MORE_THAN_ALLOWED; made += 1) {
    const names = { name: `c${made}`, deliver_subject: `_INBOX.agent.mx1.flood.${made}` };
    try {
      await manager.consumers.add(STREAM, { ...settings, ...names });
    } catch {
      return made;
    }
  }
  return MORE_THAN_ALLOWED;
}

async function sendRequests(connection: NatsConnection): Promise<void> {
  const reply = "_INBOX.agent.mx1.answers";
  connection.subscribe(reply, { callback: () => {} });
  for (let sent = 0; sent < REQUESTS; sent += 1) {
    connection.publish(`$JS.API.STREAM.INFO.${STREAM}`, "", { reply });
    if (sent % 1_000 === 0) await connection.flush();
  }
  await connection.flush();
}

async function openConnections(fleet: SecuredFleet, creds: string): Promise<number> {
  for (let opened = 0; opened < MORE_THAN_ALLOWED;) {
    const batch = Array.from({ length: AT_ONCE }, () => fleet.connect(creds));
    for (const result of await Promise.allSettled(batch)) {
      if (result.status === "fulfilled") opened += 1;
      // A busy machine makes single attempts late: they are tried again.
      else if (/active connections exceeded/.test(String(result.reason))) return opened;
    }
  }
  return MORE_THAN_ALLOWED;
}

/** Resident memory of a process. */
export function residentMegabytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}
