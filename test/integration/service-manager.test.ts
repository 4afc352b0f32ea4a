/**
 * What systemd is told, with a systemd-notify of our own that writes down what it is told; the
 * real one is in test/deploy.
 */
import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freePort, startChild } from "../../services/standalone/child.ts";
import { eventually } from "../harness/eventually.ts";

const ROOT = join(import.meta.dirname, "../..");

interface Listener extends AsyncDisposable {
  folder: string;
  environment: Record<string, string>;
  said(): Promise<string[]>;
}

async function startListener(): Promise<Listener> {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-notify-"));
  const file = join(folder, "said");
  await writeFile(file, "");
  const program = join(folder, "systemd-notify");
  await writeFile(program, `#!/bin/sh\nprintf '%s\\n' "$@" >>'${file}'\n`);
  await chmod(program, 0o755);
  return {
    folder,
    environment: {
      PATH: `${folder}:${process.env["PATH"] ?? ""}`,
      NOTIFY_SOCKET: "/nonexistent",
      WATCHDOG_USEC: "200000",
    },
    said: async () => (await readFile(file, "utf8")).split("\n").filter(Boolean),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

function start(program: string, args: readonly string[], env: Readonly<Record<string, string>>) {
  const main = join(ROOT, `dist/services/${program}/main.js`);
  return startChild(process.execPath, { args: [main, ...args], env });
}

for (const program of ["agent", "coordinator"]) {
  test(`systemd hears of the ${program} that it is ready although NATS is away, alive, stopping`, async () => {
    await using listener = await startListener();
    const child = await start(program, ["run"], {
      ...listener.environment,
      NATS_URL: `nats://127.0.0.1:${await freePort()}`,
      FLEETBAN_STATE_DIR: join(listener.folder, "state"),
      FLEETBAN_FIREWALL: "dry-run",
      FLEETBAN_HTTP_LISTEN: `127.0.0.1:${await freePort()}`,
    });
    try {
      const alive = async () => (await listener.said()).filter((line) => line === "WATCHDOG=1");
      await eventually("it is alive, again", async () => (await alive()).length >= 2);
    } finally {
      await child.stop();
    }
    const said = await listener.said();
    assert.equal(said[0], "READY=1");
    assert.equal(said.at(-1), "STOPPING=1");
    assert.equal(new Set(said).size, 3, said.join(" "));
  });
}

test("systemd hears nothing of a check", async () => {
  await using listener = await startListener();
  const child = await start("agent", ["check", "--config-only"], listener.environment);
  assert.equal(await child.ended, 0);
  assert.deepEqual(await listener.said(), []);
});

test("a daemon that systemd cannot be told of ends, and says why: 69", async () => {
  await using listener = await startListener();
  await writeFile(
    join(listener.folder, "systemd-notify"),
    "#!/bin/sh\necho no such socket >&2; exit 1\n",
  );
  const child = await start("agent", ["run"], {
    ...listener.environment,
    FLEETBAN_STATE_DIR: join(listener.folder, "state"),
    FLEETBAN_FIREWALL: "dry-run",
  });
  assert.equal(await child.ended, 69);
  assert.match(child.lastWords(), /^fleetban-agent: systemd-notify: .*\nno such socket$/m);
});
