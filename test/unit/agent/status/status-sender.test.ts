import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { startStatusSender } from "../../../../services/agent/status/status-sender.ts";
import { decodeHostStatus, type HostStatus } from "../../../../services/wire/status.ts";
import { statusSubject } from "../../../../services/wire/subjects.ts";
import { eventually } from "../../../harness/eventually.ts";

const STATUS: HostStatus = {
  v: 1,
  host: "mx1",
  instance: "0b8f1b8e-3c70-4b1c-9f0a-6d0c1f1f8a10",
  version: "0.1.0",
  startedAt: 0,
  sentAt: 0,
  firewall: "ipset",
  revision: 0,
  bansCreated: null,
  bansInForce: 0,
  addresses: [],
  sources: [],
  repairs: 0,
  refused: [],
  warnings: [],
};

test("the first change is said at once; what follows at once is said together, with the last of it", async (t) => {
  const said: number[] = [];
  let revision = 0;
  const reporter = startStatusSender({
    host: "mx1",
    refresh: () => new Promise(() => {}), // no periodic status
    describe: () => ({ ...STATUS, revision }),
    publish: (subject, bytes) => {
      said.push(decodeHostStatus(bytes, subject).revision);
      assert.equal(subject, statusSubject("mx1"));
    },
  });
  t.after(() => reporter.stop());
  const apply = async () => {
    revision += 1;
    reporter.soon();
    await turn();
  };
  const began = performance.now();
  await apply();
  assert.deepEqual(said, [1]);
  for (let count = 0; count < 10; count += 1) await apply();
  await eventually("the last is said", () => said.at(-1) === 11);
  const moments = Math.floor((performance.now() - began) / 50);
  assert.ok(said.length <= 1 + moments, `said ${said.length} times in ${moments} times 50 ms`);
});
