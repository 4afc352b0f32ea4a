import assert from "node:assert/strict";
import { copyFileSync, renameSync, truncateSync } from "node:fs";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { captureFolder } from "../harness/captures.ts";
import { startTestAgent, type TestAgent } from "../harness/agent-process.ts";
import { eventually } from "../harness/eventually.ts";
import { failedLogin } from "../harness/failed-login.ts";

const ADDRESS = "198.51.100.7";

/** Writes `count` failed logins, each of a user of its own; between them `between` may act. */
async function write(
  { mailLog }: TestAgent,
  count: number,
  between: (written: number) => Promise<void> | void,
  first = 0,
): Promise<void> {
  for (let index = first; index < first + count; index += 1) {
    await appendFile(mailLog, failedLogin({ address: ADDRESS, user: `user${index}` }));
    await between(index);
  }
}

/** Waits until every one of `count` users has been counted, and asserts that each was so once. */
async function everyOneOnce({ failures }: TestAgent, count: number): Promise<void> {
  const users = () =>
    failures().then((found) => found.map(({ user, attempts }) => `${user} ${attempts}`));
  const all = Array.from({ length: count }, (_, index) => `user${index} 1`);
  await eventually(
    `${count} failures are published`,
    async () => new Set(await users()).size >= count,
    20,
  );
  assert.deepEqual((await users()).sort(), all.sort());
}

/** Waits until the checkpoint holds `what`; unless told otherwise, that a file is read. */
async function isCheckpointed({ mailLog }: TestAgent, what = /"inode":[1-9]/): Promise<void> {
  const path = mailLog.replace("mail.log", "state/checkpoint.json");
  await eventually("the checkpoint is written", () =>
    readFile(path, "utf8").then((text) => what.test(text)),
  );
}

test("an agent that is killed again and again counts nothing twice and loses nothing", async () => {
  await using running = await startTestAgent();
  const { agent, arrived } = running;
  let before = 0;
  await write(running, 2_000, async (written) => {
    if (written % 250 !== 249) return;
    // Published, and by its interval the checkpoint is not written yet.
    await eventually("something is published", () => arrived() > before);
    await agent.stop("SIGKILL");
    before = arrived();
    await agent.start();
  });
  await everyOneOnce(running, 2_000);
  assert.ok(arrived() > 2_000, "some were published twice");
});

test("an attempt whose lines stand on both sides of a kill -9 is one failure", async () => {
  await using running = await startTestAgent();
  const { agent, mailLog, failures } = running;
  const line = (text: string, ago: number) =>
    `${new Date(Date.now() - ago).toISOString().replace("Z", "000+00:00")} mx dovecot: ${text}\n`;
  const session = "dhXQXP1gB8nGM2QH"; // of 198.51.100.7
  const check = `auth: passwd-file(bob,${ADDRESS},<${session}>): Password mismatch`;
  await appendFile(mailLog, line(check, 4_000) + line(check, 2_000));
  await eventually("two attempts are published", async () => (await failures()).length === 2);
  await isCheckpointed(running, /"counted":2/);
  await agent.stop("SIGKILL");
  const end = `imap-login: Disconnected: Connection closed (auth failed, 3 attempts in 18 secs): user=<bob>, method=PLAIN, rip=${ADDRESS}, lip=192.0.2.25, session=<${session}>`;
  await appendFile(mailLog, line(end, 0));
  await agent.start();
  await eventually("the third is published", async () => (await failures()).length === 3);
  assert.deepEqual(
    (await failures()).map(({ attempts }) => attempts),
    [1, 1, 1],
  );
});

test("what is held is published once though the agent is killed meanwhile, and never where the password was right", async () => {
  await using running = await startTestAgent();
  const { agent, arrived, mailLog, failures } = running;
  const line = (text: string) =>
    `${new Date().toISOString().replace("Z", "000+00:00")} mx dovecot: ${text}\n`;
  const refused = (user: string, what: string) =>
    line(`auth: passwd-file(${user},${ADDRESS},<AAAAAAAAAAAA${user}>): ${what}`);
  // Whether another passdb lets eve in cannot be known yet.
  await appendFile(mailLog, refused("anna", "Password mismatch") + refused("evel", "unknown user"));
  await eventually("what is plain is published", () => arrived() >= 1);
  await agent.stop("SIGKILL");
  await agent.start();
  const login = `imap-login: Login: user=<bobb>, method=PLAIN, rip=${ADDRESS}, lip=192.0.2.25, session=<AAAAAAAAAAAAbobb>`;
  await appendFile(mailLog, refused("bobb", "unknown user") + line(login));
  await appendFile(mailLog, refused("zedd", "Password mismatch"));
  const users = async () => (await failures()).map(({ user }) => user);
  await eventually("the last is published", async () => (await users()).includes("zedd"), 20);
  assert.deepEqual(await users(), ["anna", "evel", "zedd"]);
});

test("a log that is renamed and created anew under load is read once, also while the agent is down", async () => {
  await using running = await startTestAgent();
  const { agent, mailLog } = running;
  await write(running, 1_500, async (written) => {
    if (written % 300 === 299) {
      renameSync(mailLog, `${mailLog}.${written}`);
      await writeFile(mailLog, "");
    }
    if (written === 100) await isCheckpointed(running);
    if (written === 700) await agent.stop("SIGKILL"); // misses one rotation
    if (written === 1_000) await agent.start();
  });
  await everyOneOnce(running, 1_500);
});

test("a log that is copied and truncated under load is read once, also while the agent is down", async () => {
  await using running = await startTestAgent();
  const { agent, mailLog } = running;
  await write(running, 1_500, async (written) => {
    if (written % 300 === 299) {
      copyFileSync(mailLog, `${mailLog}.${written}`);
      truncateSync(mailLog);
    }
    if (written === 100) await isCheckpointed(running);
    if (written === 700) await agent.stop("SIGKILL");
    if (written === 1_000) await agent.start();
  });
  await everyOneOnce(running, 1_500);
});

test("NATS away for a while: everything is published afterwards, once", async () => {
  await using running = await startTestAgent();
  const { nats } = running;
  await write(running, 600, async (written) => {
    if (written === 100) await nats.stop();
    if (written === 400) await nats.start();
  });
  await everyOneOnce(running, 600);
});

test("user names leave the host only as they are meant to", async () => {
  await using running = await startTestAgent({ yaml: "users: drop\n" });
  await write(running, 1, () => {});
  const [failure] = await eventually("it is published", async () => {
    const found = await running.failures();
    return found.length > 0 && found;
  });
  assert.deepEqual([failure?.address, failure?.user], [ADDRESS, undefined]);
});

test("half lines wait, and garbage hides nothing", async () => {
  await using running = await startTestAgent();
  const { mailLog, agent } = running;
  const [zero = "", one = ""] = [0, 1].map((n) =>
    failedLogin({ address: ADDRESS, user: `user${n}` }),
  );
  await appendFile(mailLog, zero.slice(0, 60));
  await eventually("the source is read", () => agent.log().includes("source is read"));
  await appendFile(mailLog, zero.slice(60));
  await appendFile(mailLog, Buffer.from([0, 0xff, 0xfe, 0xc3, 0x28, 0x0a, 0x00, 0x0a]));
  await appendFile(mailLog, `${"x".repeat(3_000_000)} rip=9.9.9.9, lip=1.1.1.1\n`);
  await appendFile(mailLog, `imap-login: ${"(".repeat(60_000)} rip=9.9.9.9\n`);
  await appendFile(mailLog, one);
  await everyOneOnce(running, 2);
  assert.match(agent.log(), /over 1 MiB was skipped/);
});

test("at its first start an agent begins at the end of the log", async () => {
  await using running = await startTestAgent({ startAt: "end" });
  const { agent, mailLog } = running;
  await eventually("it waits for the file", () => agent.log().includes("waits for its file"));
  await write(running, 1, () => {}); // created later: read from its beginning
  await everyOneOnce(running, 1);
  await agent.stop();
  await appendFile(mailLog, "nothing\n");
  await agent.start();
  await write(running, 1, () => {}, 1);
  await everyOneOnce(running, 2);
});

const realDovecot = captureFolder("real-dovecot");
test(
  "captured lines with hostile names count for nobody but their sender",
  { skip: realDovecot === undefined && "needs ../shared/real-dovecot" },
  async () => {
    await using running = await startTestAgent();
    const { mailLog, failures } = running;
    const folder = realDovecot!;
    const expected = (await readFile(`${folder}/expected.jsonl`, "utf8"))
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { file: string; src: string; attempts: number | null });
    const files = ["pf-default-forge.log", "pf-auth_verbose-anychars.log", "pam-rsyslog.auth.log"];
    for (const file of files) await appendFile(mailLog, await readFile(`${folder}/${file}`));
    const own = expected.filter(({ file }) => files.includes(file));
    const sources = new Set(own.map(({ src }) => src));
    const total = own.reduce((sum, { attempts }) => sum + (attempts ?? 0), 0);
    await eventually("all attempts are counted", async () => {
      const found = await failures();
      return found.reduce((sum, { attempts }) => sum + attempts, 0) >= total;
    });
    for (const { address } of await failures()) assert.ok(sources.has(address), address);
  },
);
