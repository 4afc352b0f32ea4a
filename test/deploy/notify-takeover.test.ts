/**
 * Two whole coordinators, of which the one that decides is killed at a random moment twenty times:
 * every ban is told of at least once, by webhook and by mail, and always under one id.
 *
 * This takes two minutes, for each time the standby waits until the lease has run out.
 * test/integration/notify-takeover.test.ts holds the same without the lease, in seconds.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { freePort, startChild } from "../../services/standalone/child.ts";
import { parseNetwork } from "../../services/wire/address.ts";
import { encodeFailureBatch } from "../../services/wire/failure.ts";
import { failureSubject } from "../../services/wire/subjects.ts";
import { runFleetban } from "../harness/fleetban.ts";
import { eventually } from "../harness/eventually.ts";
import { startHttpsReceiver } from "../harness/https-receiver.ts";
import { restartable } from "../harness/restartable.ts";
import { startTestNats } from "../harness/servers.ts";
import { startTestSmtp } from "../harness/smtp-server.ts";

const ROUNDS = Number(process.env["FLEETBAN_TEST_ROUNDS"] ?? 20);
const LONGEST_LEAD_MS = 3_000;
const MAIN = resolve(import.meta.dirname, "../../dist/services/coordinator/main.js");

test("of two coordinators one is killed again and again, and every ban is told of under one id", async (context) => {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-notify-"));
  await using nats = await startTestNats();
  await using receiver = await startHttpsReceiver(folder);
  await using smtp = await startTestSmtp();
  const DATABASE_URL = "postgresql://nobody@127.0.0.1:1/none";
  const env = { PATH: process.env["PATH"], NATS_URL: nats.url, DATABASE_URL };
  const mail = "from: f@example.org, to: [a@example.org], latency: none, whois: false";
  const sinks = `notify:
  sinks:
    - { name: hook, type: webhook, url: "${receiver.url}", ca: ${receiver.ca} }
    - { name: admin, type: mail, ${mail}, smtp: { host: 127.0.0.1, port: ${smtp.port} } }
guard: { bansPerMinute: off, perHost: off }`;
  const start = async (id: string) => {
    const config = join(folder, `${id}.yaml`);
    await writeFile(
      config,
      `id: ${id}\nhttp: { listen: "127.0.0.1:${await freePort()}" }\n${sinks}\n`,
    );
    const args = [MAIN, "run", "--config", config];
    return restartable((onOutput) => startChild(process.execPath, { args, env, onOutput }));
  };
  const coordinators = { c1: await start("c1"), c2: await start("c2") };
  const connection = await connect({ servers: nats.url });
  const sender = async (): Promise<"c1" | "c2" | null> => {
    const answer = await runFleetban(["notify", "list", "--json"], { NATS_URL: nats.url });
    return (JSON.parse(answer.stdout) as { sender: "c1" | "c2" | null }).sender;
  };
  let banned = 0;
  const addressOf = (number: number) => `198.18.${number >> 8}.${number & 255}`;
  /** One failure stands for as many attempts as the jail takes. */
  const ban = async () => {
    const from = banned;
    banned += 1;
    const [address, at] = [parseNetwork(addressOf(banned))!, Date.now()];
    const failures = [{ position: banned, address, at, attempts: 5, form: "made-up" }];
    const batch = { host: "mx1", jail: "dovecot", source: "mail-log", epoch: "e1", sentAt: at };
    const bytes = encodeFailureBatch({ v: 1, ...batch, from, to: banned, failures });
    await jetstream(connection).publish(failureSubject("dovecot", "mx1"), bytes);
  };
  try {
    await eventually("a coordinator decides", async () => (await sender()) !== null, 40);
    await eventually(
      "bans are told of",
      async () => {
        await ban();
        await pause(200);
        return receiver.requests.length > 0;
      },
      20,
    );
    const before = banned;
    for (let killed = 0; killed < ROUNDS; killed += 1) {
      const leader = await eventually(
        "a coordinator decides",
        async () => (await sender()) ?? false,
        20,
      );
      const end = performance.now() + Math.random() * LONGEST_LEAD_MS;
      while (performance.now() < end) {
        await ban();
        await pause(50);
      }
      await coordinators[leader].stop();
      await ban();
      const taken = async () => ![null, leader].includes(await sender());
      await eventually("the other one decides", taken, 30);
      await coordinators[leader].start();
    }
    const numbers = Array.from({ length: banned - before }, (_each, at) => before + at + 1);
    /** By address: the ids that each sink has seen. */
    const idsOf = () => {
      const hook = new Map<string, Set<string>>();
      const mails = new Map<string, Set<string>>();
      const note = (map: typeof hook, key: string, id: string) =>
        map.set(key, (map.get(key) ?? new Set()).add(id));
      for (const { body } of receiver.requests) {
        const { id, subject } = JSON.parse(body) as { id: string; subject: string };
        note(hook, subject, id);
      }
      for (const { headers } of smtp.mails) {
        const [, address = ""] = /banned (\S+)/.exec(headers.get("subject") ?? "") ?? [];
        note(mails, address, headers.get("message-id") ?? "");
      }
      return [hook, mails];
    };
    const isTold = () =>
      idsOf().every((map) => numbers.every((number) => map.has(addressOf(number))));
    await eventually("every ban is told of", isTold, 60);
    for (const map of idsOf()) {
      for (const number of numbers) assert.equal(map.get(addressOf(number))?.size, 1);
    }
    const again = receiver.requests.length + smtp.mails.length - 2 * numbers.length;
    context.diagnostic(
      `${numbers.length} bans, ${ROUNDS} kills, ${again} messages sent again or before`,
    );
  } finally {
    await connection.close();
    await Promise.all(Object.values(coordinators).map((each) => each.stop()));
    await rm(folder, { recursive: true, force: true });
  }
});
