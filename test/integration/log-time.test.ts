import assert from "node:assert/strict";
import { appendFile } from "node:fs/promises";
import { test } from "node:test";
import { startTestAgent, statusOf, type TestAgent } from "../harness/agent-process.ts";
import { eventually } from "../harness/eventually.ts";

const MINUTE_MS = 60_000;

/** Failures as Dovecot writes them on a machine of another time zone, at this moment. */
function failuresIn(timeZone: string, users: readonly string[], agoMs = 0): string {
  const stamp = new Date(Date.now() - agoMs)
    .toLocaleString("sv-SE", { timeZone })
    .replace(/^(.{10}) (.{8}).*/, "$1 $2");
  return users
    .map(
      (user) =>
        `${stamp} imap-login: Info: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): ` +
        `user=<${user}>, method=PLAIN, rip=198.51.100.7, lip=10.0.0.1, session=<${user}>\n`,
    )
    .join("");
}

async function areCountedNow({ failures }: TestAgent, count: number): Promise<void> {
  const found = await eventually(`${count} failures`, async () => {
    const all = await failures();
    return all.length >= count && all;
  });
  for (const { at, user } of found) {
    assert.ok(Math.abs(Date.now() - at) < MINUTE_MS, `${user}: ${new Date(at).toISOString()}`);
  }
}

test("a log west of an agent in UTC counts at the right time, from its first lines on and after a restart", async () => {
  const options = { env: { TZ: "UTC" }, yaml: "" };
  await using running = await startTestAgent(options);
  const write = (users: readonly string[]) =>
    appendFile(running.mailLog, failuresIn("America/New_York", users));
  await appendFile(running.mailLog, "");
  await eventually("the log is read", () => running.agent.log().includes('"source is read"'));
  await write(["a"]);
  await areCountedNow(running, 1);
  await write(["b", "c", "d"]);
  await areCountedNow(running, 4);
  const said = () => running.agent.log().match(/"moved":"[45]h later"/g)?.length ?? 0;
  await eventually("the agent says so", () => said() > 0);
  const shifted = await eventually("the status shows it", async () => {
    const { sources } = await statusOf(running);
    return sources[0]?.shift;
  });
  assert.ok([4, 5].includes(shifted / 3_600_000));
  assert.equal(said(), 1);

  await running.agent.stop("SIGTERM");
  await write(["e"]);
  await running.agent.start();
  await areCountedNow(running, 5);
});

test("a source's timezone holds for lines that were there before the agent", async () => {
  await using running = await startTestAgent({
    env: { TZ: "UTC" },
    source: (folder) => `path: ${folder}/mail.log, timezone: Asia/Tokyo`,
    prepare: (folder) => appendFile(`${folder}/mail.log`, failuresIn("Asia/Tokyo", ["a", "b"])),
  });
  await areCountedNow(running, 2);
  assert.doesNotMatch(running.agent.log(), /another time zone/);
});

test("an agent whose time zone has no name reads stamps in that zone", async () => {
  // A rule of POSIX in TZ; a file at /etc/localtime that was mounted has no name, either.
  await using running = await startTestAgent({
    env: { TZ: "XYZ-3" },
    prepare: (folder) => appendFile(`${folder}/mail.log`, failuresIn("Etc/GMT-3", ["a", "b"])),
  });
  await areCountedNow(running, 2);
});

test("a log that is seven minutes behind is a warning, with its remedy", async () => {
  await using running = await startTestAgent({ env: { TZ: "UTC" } });
  await appendFile(running.mailLog, "");
  await eventually("the log is read", () => running.agent.log().includes('"source is read"'));
  await appendFile(running.mailLog, failuresIn("UTC", ["a", "b", "c"], 7 * MINUTE_MS));
  const warning = await eventually(
    "the warning is in the status",
    async () => (await statusOf(running)).warnings.find(({ code }) => code === "log-clock"),
    20,
  );
  assert.match(warning.text, /is 7m behind this host's clock/);
});
