/**
 * Guards against wrong mass bans, on a real NATS and two coordinators: what is held is in force
 * nowhere, survives the coordinator that has held it, and is released, dropped and lifted by
 * commands.
 */
import assert from "node:assert/strict";
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { jetstream } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { freePort, startChild } from "../../services/standalone/child.ts";
import type { Reply } from "../../services/wire/api.ts";
import { encodeFailureBatch } from "../../services/wire/failure.ts";
import { decodeHostStatus } from "../../services/wire/status.ts";
import {
  brokenLoginsKey,
  failureSubject,
  SETTINGS_BUCKET,
  statusSubject,
} from "../../services/wire/subjects.ts";
import { parseNetwork } from "../../services/wire/address.ts";
import { startCentre, type Centre } from "../harness/centre.ts";
import { eventually } from "../harness/eventually.ts";
import { restartable, type Restartable } from "../harness/restartable.ts";
import { startTestNats, type TestNats } from "../harness/servers.ts";

const NO_DATABASE = "postgresql://nobody@127.0.0.1:1/none";
const GUARD = `guard: { bansPerMinute: 300, perHost: 3 }
jails:
  dovecot: {}
  local: { minhosts: 2, quorum: local-first }
  spread: { network: { addresses: 2 } }
  again: { source: bans, maxretry: 2, findtime: 1h, bantime: 1d }`;

let folder: string;
let nats: TestNats;
let centre: Centre;
let second: Restartable;
let connection: NatsConnection;
let position = 0;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban-guards-"));
  nats = await startTestNats();
  const natsUrl = nats.url;
  centre = await startCentre({ folder, natsUrl, coordinatorYaml: GUARD });
  const config = join(folder, "second.yaml");
  const http = `http: { listen: "127.0.0.1:${await freePort()}" }`;
  await writeFile(config, `id: c2\n${http}\n${GUARD}\n`);
  const main = resolve(import.meta.dirname, "../../dist/services/coordinator/main.js");
  const env = { PATH: process.env["PATH"], NATS_URL: natsUrl, DATABASE_URL: NO_DATABASE };
  second = await restartable((onOutput) =>
    startChild(process.execPath, { args: [main, "run", "--config", config], env, onOutput }),
  );
  await eventually(
    "the second coordinator is ready",
    () => second.log().includes("coordinator is ready"),
    40,
  );
  connection = await connect({ servers: natsUrl });
});

after(async () => {
  await connection.close();
  await second.stop();
  await centre[Symbol.asyncDispose]();
  await nats[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** A host that lies: one failure of each address stands for as many attempts as the jail takes. */
async function lie(host: string, addresses: readonly string[], jail = "dovecot"): Promise<void> {
  const from = position;
  position += addresses.length;
  const failures = addresses.map((text, index) => ({
    ...{ position: from + index + 1, address: parseNetwork(text)!, at: Date.now() },
    ...{ attempts: 5, form: "made-up" },
  }));
  const batch = { host, jail, source: "mail-log", epoch: "e1", sentAt: Date.now() };
  const bytes = encodeFailureBatch({ v: 1, ...batch, from, to: position, failures });
  await jetstream(connection).publish(failureSubject(jail, host), bytes);
}

async function ask<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await centre.cli(...args, "--json");
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as T;
}

/**
 * Waits until each of the two coordinators has given an answer that fits. One hears of a change after
 * the other, and either may answer the next question.
 */
async function untilBoth<T extends { coordinator: string }>(
  what: string,
  question: () => Promise<T>,
  fits: (answer: T) => boolean,
): Promise<void> {
  const fitting = new Set<string>();
  await eventually(`both coordinators say that ${what}`, async () => {
    const answer = await question();
    if (fits(answer)) fitting.add(answer.coordinator);
    return fitting.size === 2;
  });
}

const listed = async (...args: string[]) =>
  (await ask<Reply<"ban.list">>("ban", "list", ...args)).total;
const many = (count: number, third: number) =>
  Array.from({ length: count }, (_, index) => `198.18.${third}.${index + 1}`);

test("above the limit of a host bans are held, by whichever coordinator decides", async () => {
  await lie("mx7", many(10, 1));
  await eventually("seven bans are held", async () => (await listed("--held")) === 7);
  await eventually("three are in force", async () => (await listed()) === 3);
  await untilBoth(
    "seven are held",
    () => centre.status(),
    ({ bans, heldBans }) => {
      return bans === 3 && heldBans === 7;
    },
  );
  const status = await centre.status();
  assert.equal(status.heldBans, 7);
  const warning = status.warnings.find(({ code }) => code === "bans-held");
  assert.match(warning?.text ?? "", /host mx7: its failures have caused 7 bans/);

  await centre.coordinator.stop();
  await lie("mx7", many(2, 2));
  await eventually(
    "the other coordinator holds, too",
    async () => (await listed("--held")) === 9,
    30,
  );
  await centre.coordinator.start();
  assert.equal(await listed(), 3);
});

test("no command changes many bans without a confirmation, and the preview changes nothing", async () => {
  const { code, stdout, stderr } = await centre.cli("ban", "release", "--caused-by", "mx7");
  assert.equal(code, 64);
  assert.match(stdout, /9 bans would come into force/);
  assert.match(stdout, /caused by +mx7 +9/);
  assert.match(stderr, /expected --yes/);
  const dry = await centre.cli("ban", "remove", "--all", "--dry-run");
  assert.deepEqual([dry.code, /3 bans would be lifted/.test(dry.stdout)], [0, true]);
  assert.deepEqual([await listed(), await listed("--held")], [3, 9]);
  for (const args of [["--alone"], [], ["--all", "--jail", "dovecot"], ["--since", "soon"]]) {
    assert.equal((await centre.cli("ban", "remove", "--yes", ...args)).code, 64);
  }
  assert.equal((await centre.cli("ban", "remove", "--caused-by", "mx8", "--yes")).code, 1);
});

test("held bans are released or dropped one by one and by host", async () => {
  const [first = "", other = "", ...rest] = (
    await ask<Reply<"ban.list">>("ban", "list", "--held")
  ).bans.map(({ address }) => String(address));
  await centre.cli("ban", "release", first, "--yes");
  await eventually("the released one is in force", () => centre.isBanned(first));
  const { stdout } = await centre.cli("ban", "discard", other, "--yes");
  assert.match(stdout, /1 ban dropped/);
  assert.match((await centre.cli("ban", "remove", rest[0] ?? "")).stderr, /a guard holds its ban/);
  await centre.cli("ban", "release", "--caused-by", "mx7", "--yes");
  // The other coordinator, which has not written them, may answer.
  await eventually("all others are in force", async () => (await listed()) === 3 + 8);
  await eventually("none is held", async () => (await listed("--held")) === 0);
  await untilBoth(
    "eleven are in force",
    () => centre.status(),
    ({ bans, heldBans }) => {
      return bans === 11 && heldBans === 0;
    },
  );
});

test("what one host has caused is lifted with one command, and comes back by no replay", async () => {
  await lie("mx6", ["203.0.113.6"]);
  await eventually("another host's ban is in force", () => centre.isBanned("203.0.113.6"));
  const reply = await ask<Reply<"ban.lift">>("ban", "remove", "--caused-by", "mx7", "--yes");
  assert.deepEqual([reply.changed, reply.pending], [11, 0]);
  await centre.coordinator.stop();
  await second.stop();
  await centre.coordinator.start();
  await second.start();
  await eventually("the fleet answers", async () => (await centre.cli("status")).code === 0, 30);
  assert.equal(await listed(), 1);
});

test("a host that confirms the bans of others puts no more of them into force everywhere than its own", async () => {
  const addresses = many(6, 9);
  await lie("mx21", addresses.slice(0, 3), "local");
  await lie("mx22", addresses.slice(3), "local");
  const local = async () => {
    const { bans } = await ask<Reply<"ban.list">>("ban", "list", "--jail", "local");
    return bans.filter(({ hosts }) => hosts !== undefined);
  };
  await eventually("each is in force on its host", async () => (await local()).length === 6);
  await lie("mx20", addresses, "local");
  await eventually("three are held", async () => (await listed("--held")) === 3);
  await eventually("three are everywhere", async () => (await local()).length === 3);
  const shown = () => ask<Reply<"jail.show">>("jail", "show", "local");
  await untilBoth("six are in force, three held for others", shown, ({ bans }) => {
    return bans.inForce === 6 && bans.held === 3;
  });
  const { stdout } = await centre.cli("ban", "list", "--held");
  assert.match(stdout, /held for other hosts: host mx20 has caused more than 3 bans/);
  const why = await centre.cli("ban", "why", String((await local())[0]?.address));
  assert.match(why.stdout, /held for other hosts +host mx20 has caused more than 3 bans/);
  assert.deepEqual((await shown()).bans, { inForce: 6, held: 3 });
  const preview = await centre.cli("ban", "discard", "--caused-by", "mx20", "--dry-run");
  assert.match(preview.stdout, /3 bans would be dropped/);
  await centre.cli("ban", "release", String((await local())[0]?.address), "--yes");
  await eventually("one more is everywhere", async () => (await local()).length === 2);
  await centre.cli("ban", "discard", "--caused-by", "mx20", "--yes");
  await eventually("none is held", async () => (await listed("--held")) === 0);
  await eventually("two stay local", async () => (await local()).length === 2);
});

test("undoing a host reaches its bans of networks and its recidive bans, and says what is held", async () => {
  // The two coordinators hear of a ban one after the other, and either may answer.
  await second.stop();
  await lie("mx30", ["198.18.30.1", "198.18.30.2"], "spread");
  await eventually("the network is banned", async () => (await listed("--jail", "spread")) === 3);
  const lifted = await centre.cli("ban", "remove", "198.18.30.1");
  assert.match(lifted.stdout, /198\.18\.30\.1 is no longer banned in spread/);
  assert.match(
    lifted.stderr,
    /198\.18\.30\.1 stays banned: 198\.18\.30\.0\/24 is banned in spread, too/,
  );
  const dry = await centre.cli("ban", "remove", "--caused-by", "mx30", "--dry-run");
  assert.match(dry.stdout, /2 bans would be lifted/);
  const inNetwork = await centre.cli("ban", "remove", "--network", "198.18.30.0/24", "--dry-run");
  assert.match(inNetwork.stdout, /2 bans would be lifted/);
  await ask("ban", "remove", "--caused-by", "mx30", "--since", "1h", "--yes");
  assert.equal(await listed("--jail", "spread"), 0);

  await lie("mx31", ["198.18.31.77"], "dovecot");
  await lie("mx31", ["198.18.31.77"], "spread");
  await eventually("recidive bans", async () => (await listed("--jail", "again")) === 1);
  await ask("ban", "remove", "198.18.31.77", "--jail", "dovecot");
  const undone = await centre.cli("ban", "remove", "--caused-by", "mx31", "--yes");
  assert.match(undone.stdout, /2 bans lifted/);
  assert.equal(await listed("--jail", "again"), 0);

  await lie("mx32", many(5, 32));
  await eventually("two are held", async () => (await listed("--held")) === 2);
  const rest = await centre.cli("ban", "remove", "--caused-by", "mx32", "--yes");
  assert.match(rest.stdout, /3 bans lifted/);
  assert.match(rest.stderr, /2 more are held: fleetban ban discard drops them/);
  await ask("ban", "discard", "--caused-by", "mx32", "--yes");
  assert.equal(await listed("--held"), 0);
});

test("undoing a host leaves what an operator has commanded", async () => {
  await lie("mx33", ["198.18.33.1", "198.18.33.2"]);
  await eventually("both are banned", async () => {
    return (await centre.isBanned("198.18.33.1")) && (await centre.isBanned("198.18.33.2"));
  });
  await ask("ban", "add", "198.18.33.1", "--for", "2h", "--reason", "abuse desk");
  const undone = await centre.cli("ban", "remove", "--caused-by", "mx33", "--yes");
  assert.match(undone.stdout, /1 ban lifted, 1 cut back to what an operator has commanded/);
  const { bans } = await ask<Reply<"ban.show">>("ban", "show", "198.18.33.1");
  assert.deepEqual(
    bans.map(({ state, reason, evidence }) => [state, reason, evidence]),
    [["active", "abuse desk", []]],
  );
  assert.equal(await centre.isBanned("198.18.33.2"), false);
  await ask("ban", "remove", "--network", "198.18.33.0/24", "--yes");
  await second.start();
});

test("a host in quarantine bans nobody, in no coordinator; when that ends it counts again", async () => {
  assert.equal((await centre.cli("host", "quarantine", "mx77")).code, 1);
  await eventually("the host is known", async () =>
    (await centre.cli("host", "list")).stdout.includes("mx1"),
  );
  await ask("host", "quarantine", "mx1", "--reason", "broken into");
  await centre.fail("203.0.113.1", 5);
  await lie("mx1", ["203.0.113.2"]);
  await lie("mx6", ["203.0.113.3"]);
  await eventually("an honest host still bans", () => centre.isBanned("203.0.113.3"));
  assert.equal(await centre.isBanned("203.0.113.2"), false);
  for (const words of [/up, quarantined/, /its failures do not count/]) {
    await eventually(`the list says ${words}`, async () =>
      words.test((await centre.cli("host", "list")).stdout),
    );
  }
  await ask("host", "quarantine", "mx1", "--undo");
  await centre.fail("203.0.113.4", 5);
  await eventually("it counts again", () => centre.isBanned("203.0.113.4"));
  assert.equal(await centre.isBanned("203.0.113.1"), false);
});

/** Dovecot on mx1 reports that PAM's service file is missing. */
async function breakLogins(): Promise<void> {
  const line =
    "auth-worker(77): Error: pam(bob,198.51.100.7): unknown user (/etc/pam.d/dovecot missing?)";
  await appendFile(join(folder, "mail.log"), `Nov 24 12:00:00 mx1 dovecot: ${line}\n`);
}

/** Waits until mx1, after this, has reported that its logins are broken. */
async function untilReported(begin: () => Promise<void>): Promise<void> {
  let isReported = false;
  const statuses = connection.subscribe(statusSubject("mx1"), {
    callback(error, { data, subject }) {
      if (error) return;
      const { warnings } = decodeHostStatus(data, subject);
      isReported ||= warnings.some(({ code }) => code === "logins-broken");
    },
  });
  await connection.flush();
  await begin();
  await eventually("the host says so", () => isReported);
  statuses.unsubscribe();
}

/** Somebody logs in on mx1: logins work. */
async function logIn(): Promise<void> {
  const elements = "user=<bob>, method=PLAIN, rip=198.51.100.8, lip=192.0.2.25, session=<AAAAbob>";
  const line = `Nov 24 12:00:01 mx1 dovecot: imap-login: Login: ${elements}\n`;
  await appendFile(join(folder, "mail.log"), line);
}

/** Does the settings bucket say that logins are broken on mx1? */
async function isWrittenDown(): Promise<boolean> {
  const entry = await (await new Kvm(connection).open(SETTINGS_BUCKET)).get(brokenLoginsKey("mx1"));
  return entry?.operation === "PUT";
}

/** What has become of bans on these addresses, once the coordinator has decided about them. */
async function outcomeOf(addresses: readonly string[]): Promise<string[]> {
  return Promise.all(
    addresses.map((address) =>
      eventually(`a ban of ${address} is decided`, async () => {
        const { bans } = await ask<Reply<"ban.show">>("ban", "show", address);
        return bans[0]?.state;
      }),
    ),
  );
}

test("what a host causes is held while its logins fail for a reason of its own", async () => {
  await breakLogins();
  await eventually("the host says so", async () => {
    return (await centre.status()).warnings.some(({ code }) => code === "logins-broken");
  });
  await lie("mx1", ["203.0.113.50"]);
  await lie("mx6", ["203.0.113.51"]);
  await eventually("another host still bans", () => centre.isBanned("203.0.113.51"));
  await untilBoth(
    "one is held",
    () => centre.status(),
    ({ heldBans }) => heldBans === 1,
  );
  const { bans } = await ask<Reply<"ban.list">>("ban", "list", "--held");
  assert.deepEqual(
    bans.map(({ address, held }) => [address, held]),
    [
      [
        "203.0.113.50",
        "on host mx1 logins fail for a reason of the host's own: PAM's service file is missing, says Dovecot (/etc/pam.d/dovecot missing?)",
      ],
    ],
  );
});

test("a coordinator that starts holds what a broken host causes, although it cannot hear the host", async () => {
  await breakLogins();
  await eventually("a coordinator writes it down", isWrittenDown);
  await centre.agent.stop();
  await Promise.all([centre.coordinator.stop(), second.stop()]);
  await lie("mx1", many(2, 40));
  await centre.coordinator.start();
  await second.start();
  assert.deepEqual(await outcomeOf(many(2, 40)), ["held", "held"]);
  await centre.agent.start();
});

test("when the host's logins work again, what it causes is banned, also by a coordinator that starts", async () => {
  await untilReported(breakLogins);
  await eventually("it is written down", isWrittenDown);
  await logIn();
  await eventually("it is erased", async () => !(await isWrittenDown()));
  await Promise.all([centre.coordinator.stop(), second.stop()]);
  await lie("mx1", many(1, 41));
  await centre.coordinator.start();
  await second.start();
  assert.deepEqual(await outcomeOf(many(1, 41)), ["active"]);
});

test("a coordinator hears the hosts before it decides, so logins that broke meanwhile hold bans, too", async () => {
  await Promise.all([centre.coordinator.stop(), second.stop()]);
  await untilReported(breakLogins);
  assert.equal(await isWrittenDown(), false);
  await lie("mx1", many(2, 42));
  await centre.coordinator.start();
  await second.start();
  assert.deepEqual(await outcomeOf(many(2, 42)), ["held", "held"]);
  const { stdout } = await centre.cli("host", "list");
  assert.match(stdout, /^mx1 +(?:up|not heard yet) /m);
});
