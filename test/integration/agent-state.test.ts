/** An agent whose state cannot be written: its disk is full, or its file system read-only. */
import assert from "node:assert/strict";
import { appendFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { run } from "../../services/agent/enforce/firewall/command.ts";
import { decodeHostStatus, type HostStatus } from "../../services/wire/status.ts";
import { startTestAgent, type TestAgent } from "../harness/agent-process.ts";
import { eventually } from "../harness/eventually.ts";
import { failedLogin } from "../harness/failed-login.ts";
import { needsRoot } from "../harness/netns.ts";

interface Small extends AsyncDisposable {
  test: TestAgent;
  /** Its state's own file system, of 64 kB. */
  state: string;
  fail(count: number): Promise<void>;
  /** Waits until so many failures are on the stream, each counted once. */
  untilCounted(count: number): Promise<void>;
  said(words: string): number;
  status(): HostStatus | undefined;
}

async function startSmall(): Promise<Small> {
  let state = "";
  const unmount = () => run("umount", ["--lazy", state]);
  const agent = await startTestAgent({
    async prepare(folder) {
      state = join(folder, "state");
      await mkdir(state);
      await run("mount", ["-t", "tmpfs", "-o", "size=64k", "fleetban-test", state]);
    },
  });
  let status: HostStatus | undefined;
  agent.connection.subscribe("fleetban.status.mx1", {
    callback: (_error, { data, subject }) => void (status = decodeHostStatus(data, subject)),
  });
  return {
    test: agent,
    state,
    async fail(count) {
      const address = "198.51.100.7";
      const lines = Array.from({ length: count }, () => failedLogin({ address }));
      await appendFile(agent.mailLog, lines.join(""));
    },
    async untilCounted(count) {
      await eventually(
        `${count} failures are counted`,
        async () => (await agent.failures()).length >= count,
      );
      assert.equal((await agent.failures()).length, count);
    },
    said: (words) => agent.agent.log().split(words).length - 1,
    status: () => status,
    async [Symbol.asyncDispose]() {
      await agent.agent.stop();
      await unmount();
      await agent[Symbol.asyncDispose]();
    },
  };
}

/** Takes all space that is left. */
async function fill(folder: string): Promise<string> {
  const file = join(folder, "filler");
  await assert.rejects(writeFile(file, Buffer.alloc(1_000_000)), { code: "ENOSPC" });
  return file;
}

const CANNOT = "cannot write state, continuing without it";
const AGAIN = "state is written again";

describe("an agent whose state cannot be written", { skip: needsRoot }, () => {
  test("goes on with a full disk, says so once, and loses and doubles nothing over a kill", async () => {
    await using small = await startSmall();
    await small.fail(3);
    await small.untilCounted(3);
    const filler = await fill(small.state);
    await small.fail(4);
    await small.untilCounted(7);
    await eventually("it says so", () => small.said(CANNOT) === 1);
    await eventually(
      "its status warns",
      () => small.status()?.warnings.some(({ code }) => code === "state-not-written"),
      20,
    );
    await small.test.agent.stop("SIGKILL");
    await small.fail(5);
    await small.test.agent.start();
    await small.untilCounted(12);
    await rm(filler);
    await eventually("it is written again", () => small.said(AGAIN) >= 1, 20);
    await small.test.agent.stop("SIGKILL");
    await small.fail(2);
    await small.test.agent.start();
    await small.untilCounted(14);
  });

  test("starts and goes on with a read-only file system, and writes when it may again", async () => {
    await using small = await startSmall();
    await small.fail(3);
    await small.untilCounted(3);
    await small.test.agent.stop("SIGTERM");
    await run("mount", ["-o", "remount,ro", small.state]);
    await small.test.agent.start();
    await small.fail(4);
    await small.untilCounted(7);
    assert.equal(small.said("the file system is read-only"), 1);
    await run("mount", ["-o", "remount,rw", small.state]);
    await eventually("it is written again", () => small.said(AGAIN) === 1, 20);
    await small.test.agent.stop("SIGKILL");
    await small.fail(5);
    await small.test.agent.start();
    await small.untilCounted(12);
  });

  test("goes on when its folder is gone, warns within a status, and writes when it is back", async () => {
    await using small = await startSmall();
    await small.fail(3);
    await small.untilCounted(3);
    await run("umount", ["--lazy", small.state]);
    await rm(small.state, { recursive: true });
    await small.fail(4);
    await small.untilCounted(7);
    const warning = await eventually(
      "its status warns",
      () => small.status()?.warnings.find(({ code }) => code === "state-not-written"),
      20,
    );
    assert.match(warning.text, /^the state cannot be written: \S+: the folder is gone; .*check/);
    await run("mkdir", [small.state]);
    await run("mount", ["-t", "tmpfs", "-o", "size=64k", "fleetban-test", small.state]);
    await eventually("it is written again", () => small.said(AGAIN) === 1, 20);
    await small.test.agent.stop("SIGKILL");
    await small.fail(5);
    await small.test.agent.start();
    await small.untilCounted(12);
  });
});
