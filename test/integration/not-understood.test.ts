import assert from "node:assert/strict";
import { appendFile } from "node:fs/promises";
import { test } from "node:test";
import { startTestAgent, statusOf } from "../harness/agent-process.ts";
import { eventually } from "../harness/eventually.ts";

test("more than a few lines that nobody understands are a warning of the host, redacted, and ban nobody", async () => {
  await using running = await startTestAgent();
  await appendFile(running.mailLog, "");
  await eventually("the log is read", () => running.agent.log().includes('"source is read"'));
  const stamp = new Date().toISOString().replace("Z", "000+00:00");
  const line = `${stamp} mx1 dovecot: auth: new(bob,198.51.100.7): login refused by a new rule\n`;
  const end =
    `${stamp} mx1 dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): ` +
    "user=<carol>, method=PLAIN, rip=203.0.113.9, lip=192.0.2.25, session=<x>\n";
  await appendFile(running.mailLog, line.repeat(6) + end);
  const warning = await eventually("the warning is in the status", async () =>
    (await statusOf(running)).warnings.find(({ code }) => code === "lines-not-understood"),
  );
  const said = JSON.stringify(warning);
  assert.match(said, /login refused by a new rule/);
  assert.doesNotMatch(said, /bob|198\.51\.100\.7/);
  const failures = await eventually("the known line is counted", async () => {
    const all = await running.failures();
    return all.length > 0 && all;
  });
  assert.deepEqual(
    failures.map(({ address }) => address),
    ["203.0.113.9"],
  );
});
