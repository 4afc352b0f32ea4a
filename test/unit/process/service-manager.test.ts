import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createServiceManager } from "../../../services/process/service-manager.ts";
import { eventually } from "../../harness/eventually.ts";

test("while a part does not answer, systemd is not told that the daemon is alive", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-notify-"));
  t.after(() => rm(folder, { recursive: true }));
  const program = join(folder, "systemd-notify");
  await writeFile(program, `#!/bin/sh\necho "$@" >>'${folder}/said'\n`);
  await chmod(program, 0o755);
  const { PATH } = process.env;
  process.env["PATH"] = `${folder}:${PATH}`;
  t.after(() => (process.env["PATH"] = PATH));
  const said = async () => (await readFile(join(folder, "said"), "utf8")).split("\n");

  const environment = { NOTIFY_SOCKET: "/nonexistent", WATCHDOG_USEC: "40000" };
  const manager = createServiceManager(environment, process.pid);
  let asked = 0;
  let answer: () => void = () => {};
  await manager.ready(() => {
    asked += 1;
    return asked === 1 ? new Promise<void>((resolve) => (answer = resolve)) : Promise.resolve();
  });
  await eventually("the part is asked", () => asked === 1);
  assert.deepEqual(await said(), ["READY=1", ""]);
  answer();
  await eventually("it is told again", async () => (await said()).length >= 4);
  assert.deepEqual((await said()).slice(0, 3), ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]);
  await manager.stopping();
});

test("a watchdog of another process is none of ours, and without a socket nothing is said", async () => {
  let asked = 0;
  const isAlive = () => Promise.resolve((asked += 1));
  const other = { WATCHDOG_USEC: "1000", WATCHDOG_PID: "1" };
  for (const environment of [{}, other]) {
    const manager = createServiceManager(environment, 2);
    await manager.ready(isAlive);
    await manager.stopping();
  }
  assert.equal(asked, 0);
});
