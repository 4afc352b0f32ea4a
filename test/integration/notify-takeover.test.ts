/**
 * Notifications of a coordinator that is killed at a random moment while another one takes over: each
 * event reaches the receiver at least once, and always under one id.
 *
 * The test lets another process lead at once, without the seconds that the lease needs, so that a
 * kill takes a second. FLEETBAN_TEST_ROUNDS=20 kills twenty times.
 */
import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { EVENTS_STREAM } from "../../services/wire/subjects.ts";
import { eventually } from "../harness/eventually.ts";
import { startHttpsReceiver, type HttpsReceiver } from "../harness/https-receiver.ts";
import { ensureBans, makeBan, startTestNotifier, writeBan } from "../harness/notify-centre.ts";
import { startTestNats } from "../harness/servers.ts";

const ROUNDS = Number(process.env["FLEETBAN_TEST_ROUNDS"] ?? 4);
const LONGEST_LEAD_MS = 350;
const CHILD = process.env["FLEETBAN_TEST_NOTIFIER"];

/** This file again, as a process that only notifies; it leads when it is told to. */
async function notify(options: string): Promise<void> {
  const { url, folder, sinks } = JSON.parse(options) as {
    url: string;
    folder: string;
    sinks: Record<string, unknown>[];
  };
  let isLeading = false;
  process.on("message", () => (isLeading = true));
  process.on("disconnect", () => process.exit(0));
  const connection = await connect({ servers: url });
  startTestNotifier({ connection, folder, sinks, isLeader: () => isLeading });
  process.send?.("ready");
}

/** Ids under which each address was reported, and how often. */
function idsByAddress({ requests }: HttpsReceiver): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const { headers, body } of requests) {
    const { id, subject } = JSON.parse(body) as { id: string; subject: string };
    assert.equal(headers["webhook-id"], id);
    found.set(subject, (found.get(subject) ?? new Set()).add(id));
  }
  return found;
}

const addressOf = (number: number) => `198.18.${number >> 8}.${number & 255}`;

async function killAgainAndAgain(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-notify-"));
  await using nats = await startTestNats();
  await using receiver = await startHttpsReceiver(folder);
  const connection = await connect({ servers: nats.url });
  await ensureBans(connection);
  const sinks = [{ name: "hook", type: "webhook", url: receiver.url, ca: receiver.ca }];
  const options = JSON.stringify({ url: nats.url, folder, sinks });
  const children: ChildProcess[] = [];
  const start = async (): Promise<ChildProcess> => {
    const env = { ...process.env, FLEETBAN_TEST_NOTIFIER: options };
    const child = fork(process.argv[1] ?? "", { env, execArgv: process.execArgv });
    children.push(child);
    await once(child, "message");
    return child;
  };
  let written = 0;
  const ban = async () => {
    written += 1;
    await writeBan(connection, makeBan(addressOf(written)));
  };
  try {
    let [leader, standby] = await Promise.all([start(), start()]);
    leader.send("lead");
    // A notifier that has never been begins where the bucket ends.
    await eventually("the notifier is at work", async () => {
      await ban();
      await pause(20);
      return receiver.requests.length > 0;
    });
    const before = written;
    let killed = 0;
    const writing = (async () => {
      while (killed < ROUNDS) {
        await ban();
        await pause(15);
      }
    })();
    for (; killed < ROUNDS; killed += 1) {
      const next = start();
      await pause(Math.random() * LONGEST_LEAD_MS);
      leader.kill("SIGKILL");
      const seen = receiver.requests.length;
      standby.send("lead");
      await eventually("the next one sends", () => receiver.requests.length > seen, 20);
      [leader, standby] = [standby, await next];
    }
    await writing;
    const numbers = Array.from({ length: written - before }, (_, at) => before + at + 1);
    await eventually("every ban is reported", () => {
      const found = idsByAddress(receiver);
      return numbers.every((number) => found.has(addressOf(number)));
    });
    const found = idsByAddress(receiver);
    for (const number of numbers) {
      assert.equal(found.get(addressOf(number))?.size, 1, `ids of ${addressOf(number)}`);
    }
    const manager = await jetstreamManager(connection);
    const { messages } = (await manager.streams.info(EVENTS_STREAM)).state;
    const ids = new Set(receiver.requests.map(({ headers }) => headers["webhook-id"]));
    assert.equal(messages, ids.size, "the outbox has every event once");
  } finally {
    for (const child of children) child.kill("SIGKILL");
    await connection.close();
    await rm(folder, { recursive: true, force: true });
  }
}

if (CHILD !== undefined) await notify(CHILD);
else {
  test("no event is lost and none has two ids when its sender is killed again and again", () =>
    killAgainAndAgain());
}
