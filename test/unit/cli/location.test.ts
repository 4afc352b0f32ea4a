import assert from "node:assert/strict";
import { chown, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { locateNats, type Surroundings } from "../../../services/cli/location.ts";
import { withoutLogin } from "../../../services/nats/url.ts";

/** A machine of its own: a home, a package, a folder two levels down in which the operator is. */
async function openMachine() {
  const root = await mkdtemp(join(tmpdir(), "fleetban-location-"));
  const notes: string[] = [];
  const surroundings: Surroundings = {
    environment: {},
    folder: join(root, "checkout/some/where"),
    packageRoot: join(root, "package"),
    home: join(root, "home"),
    uid: process.getuid?.(),
    note: (text) => notes.push(text),
  };
  return {
    root,
    notes,
    surroundings,
    async write(file: string, text: string): Promise<string> {
      const path = join(root, file);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text, { mode: 0o600 });
      return path;
    },
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}

const clientYaml = (port: number) =>
  `nats: { url: "nats://127.0.0.1:${port}", user: u, password: p }\n`;

test("what is nearer wins: flag, environment, .fleetban above, package, home, default", async () => {
  await using machine = await openMachine();
  const { surroundings: at } = machine;
  const found = async (flag?: string, environment = {}) => {
    const { nats, origin } = await locateNats(flag, { ...at, environment });
    return [nats.url, nats.user, origin];
  };
  assert.deepEqual(await found(), ["nats://127.0.0.1:4222", undefined, "default"]);
  const home = await machine.write("home/.config/fleetban/client.yaml", clientYaml(1));
  assert.deepEqual(await found(), ["nats://127.0.0.1:1", "u", home]);
  const inPackage = await machine.write("package/.fleetban/client.yaml", clientYaml(2));
  assert.deepEqual(await found(), ["nats://127.0.0.1:2", "u", inPackage]);
  const above = await machine.write("checkout/.fleetban/client.yaml", clientYaml(3));
  assert.deepEqual(await found(), ["nats://127.0.0.1:3", "u", above]);
  const other = await machine.write("other/client.yaml", clientYaml(4));
  const inHome = { FLEETBAN_HOME: dirname(other) };
  assert.deepEqual(await found(undefined, inHome), ["nats://127.0.0.1:4", "u", other]);
  const env = { ...inHome, NATS_URL: "nats://127.0.0.1:5", FLEETBAN_NATS_USER: "v" };
  assert.deepEqual(await found(undefined, env), ["nats://127.0.0.1:5", "v", "NATS_URL"]);
  assert.deepEqual(await found("127.0.0.1:6", env), ["nats://127.0.0.1:6", "v", "--nats"]);
});

test("a file's password never goes to a server that the file does not name", async () => {
  await using machine = await openMachine();
  await machine.write("checkout/.fleetban/client.yaml", clientYaml(3));
  const { nats } = await locateNats("nats://127.0.0.1:9", machine.surroundings);
  assert.equal(nats.password, undefined);
});

test(
  "a file that somebody else left above is passed over, and that is said",
  { skip: process.getuid?.() !== 0 && "needs root to make a file somebody else's" },
  async () => {
    await using machine = await openMachine();
    const planted = await machine.write("checkout/.fleetban/client.yaml", clientYaml(3));
    await chown(planted, 4242, 4242);
    const { origin } = await locateNats(undefined, machine.surroundings);
    assert.equal(origin, "default");
    assert.match(machine.notes.join(), /client\.yaml: belongs to somebody else/);
    const environment = { FLEETBAN_HOME: dirname(planted) };
    const named = await locateNats(undefined, { ...machine.surroundings, environment });
    assert.equal(named.origin, planted);
  },
);

test("a client.yaml that is wrong is explained, with all its faults", async () => {
  await using machine = await openMachine();
  const file = await machine.write(
    "checkout/.fleetban/client.yaml",
    "nats: { urll: x, user: 7 }\n",
  );
  await assert.rejects(locateNats(undefined, machine.surroundings), (error: unknown) => {
    assert.ok(error instanceof Error && "exitCode" in error);
    assert.equal(error.exitCode, 78);
    assert.match(error.message, new RegExp(`${file}: nats.urll: there is no such option`));
    assert.match(error.message, new RegExp(`${file}: nats.user: expected text, got 7`));
    return true;
  });
});

test("a FLEETBAN_HOME without client.yaml is not replaced by another fleet", async () => {
  await using machine = await openMachine();
  await machine.write("checkout/.fleetban/client.yaml", clientYaml(3));
  const environment = { FLEETBAN_HOME: join(machine.root, "nowhere") };
  await assert.rejects(
    locateNats(undefined, { ...machine.surroundings, environment }),
    /nowhere\/client\.yaml: is not there/,
  );
});

for (const [url, code] of [
  ["http://127.0.0.1", 64],
  ["nats://", 64],
  ["nats://a b", 64],
  ["nats://127.0.0.1:4222,", 64],
] as const) {
  test(`--nats ${url} is refused`, async () => {
    await using machine = await openMachine();
    await assert.rejects(locateNats(url, machine.surroundings), { exitCode: code });
  });
}

test("a password is not shown with its URL", () => {
  assert.equal(
    withoutLogin("nats://u:p@192.0.2.1:4222,tls://t@192.0.2.2"),
    "nats://192.0.2.1:4222,tls://192.0.2.2",
  );
});
