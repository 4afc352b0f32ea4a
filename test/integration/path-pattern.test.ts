import assert from "node:assert/strict";
import { appendFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { startTestAgent } from "../harness/agent-process.ts";
import { eventually } from "../harness/eventually.ts";
import { failedLogin } from "../harness/failed-login.ts";

test("files of a pattern are counted across a kill and a container that is made anew, each once", async () => {
  await using running = await startTestAgent({
    source: (folder) => `path: "${join(folder, "dovecot-*.log")}"`,
  });
  const folder = dirname(running.mailLog);
  const write = (name: string, user: string) =>
    appendFile(join(folder, name), failedLogin({ address: "198.51.100.7", user }));
  const counted = async (...users: string[]) => {
    await eventually(`${users.length} failures are counted`, async () => {
      return (await running.failures()).length >= users.length;
    });
    assert.deepEqual((await running.failures()).map(({ user }) => user).sort(), users);
  };
  await write("dovecot-1.log", "a");
  await counted("a");
  await write("dovecot-2.log", "b");
  await counted("a", "b");
  await running.agent.stop("SIGKILL");
  await write("dovecot-1.log", "c");
  await write("dovecot-3.log", "d");
  await running.agent.start();
  await counted("a", "b", "c", "d");
});
