import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as z from "zod";
import { ConfigError, loadConfig } from "../../../services/config/load-config.ts";
import { duration, durationOrForever } from "../../../services/config/duration-setting.ts";
import { natsConfig } from "../../../services/nats/nats-config.ts";
import { NATS_VARIABLES } from "../../../services/nats/nats-variables.ts";

const schema = z.strictObject({
  nats: natsConfig,
  findtime: duration.default(1200),
  bantime: durationOrForever.default(1200),
  maxretry: z.number().int().min(1).default(5),
});

async function load(text: string, environment: Record<string, string> = {}, mode = 0o600) {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-config-"));
  const path = join(folder, "test.yaml");
  try {
    await writeFile(path, text, { mode });
    return await loadConfig(schema, path, environment, NATS_VARIABLES);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const faultsOf = async (text: string, environment?: Record<string, string>) => {
  const error = await load(text, environment).then(
    () => assert.fail("was accepted"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConfigError);
  assert.equal(error.exitCode, 78);
  return error.message.split("\n").map((line) => line.replace(/^\S*test\.yaml/, "FILE"));
};

test("every fault is reported at once, with place, what was given and what was expected", async () => {
  assert.deepEqual(
    await faultsOf("nats:\n  urll: x\n  user: 5\nfindtime: 10 apples\nmaxretry: 0\nbantime: [1]\n"),
    [
      "FILE: nats.user: expected text, got 5",
      "FILE: nats.urll: there is no such option; did you mean url?",
      'FILE: findtime: expected a duration such as "10m" or 1200, got "10 apples"',
      'FILE: bantime: expected a duration such as "10m" or 1200, or -1 for ever, got [1]',
      "FILE: maxretry: expected at least 1, got 0",
    ],
  );
});

test("a file that is no YAML is refused with line and column", async () => {
  const [fault = ""] = await faultsOf("nats:\n  url: 'x\n");
  assert.match(fault, /^FILE:\d+:\d+: Missing closing 'quote/);
});

test("what follows from the first misplaced text is not told, other faults of a file's YAML are", async () => {
  const [fault, ...others] = await faultsOf("{}\nmaxretry: 3\nnats: { user: a, url: b }\n");
  assert.match(fault ?? "", /^FILE:2:1: Unexpected scalar at node end/);
  assert.deepEqual(others, []);
  const twice = await faultsOf("maxretry: 3\nmaxretry: 4\nfindtime: 1\nfindtime: 2\n");
  assert.equal(twice.length, 2);
});

test("the environment wins over the file, and is named when it is wrong", async () => {
  const config = await load("nats:\n  url: nats://a:1\n", { NATS_URL: "nats://b:2" });
  assert.equal(config.nats.url, "nats://b:2");
  assert.equal((await load("")).nats.url, "nats://127.0.0.1:4222");
});

test("a file that is not there is a fault of the configuration", async () => {
  await assert.rejects(
    loadConfig(schema, "/nonexistent/agent.yaml", {}, {}),
    /^ConfigError: \/nonexistent\/agent.yaml: cannot be read: no such file$/,
  );
});

test("-1 is for ever where a duration may be for ever", async () => {
  assert.equal((await load("bantime: -1")).bantime, null);
  assert.match((await faultsOf("findtime: -1"))[0] ?? "", /findtime: expected a duration/);
});

test("faults are told in YAML's words, with the place once", async () => {
  assert.deepEqual(await faultsOf("- nats\n"), ['FILE: expected options by name, got ["nats"]']);
  assert.deepEqual(await faultsOf("nats: [x]\nmaxretry:\n"), [
    'FILE: nats: expected options by name, got ["x"]',
    "FILE: maxretry: expected a number, got nothing",
  ]);
  assert.deepEqual(await faultsOf("nats:\n\turl: x\n"), [
    "FILE:2:1: Tabs are not allowed as indentation",
  ]);
});

test("the URL of NATS is checked before it is used, and its password is not told", async () => {
  assert.equal(
    (await load("nats: { url: 'n1:4222, tls://n2' }")).nats.url,
    "nats://n1:4222,tls://n2",
  );
  assert.deepEqual(await faultsOf("nats: { url: 'http://me:secret@x' }"), [
    'FILE: nats.url: expected a URL such as nats://127.0.0.1:4222, got "http://x"',
  ]);
});

test("a file with a password that others may read is refused, like credentials", async () => {
  const secrets = [
    "nats: { user: me, password: secret }",
    "nats: { url: nats://me:secret@127.0.0.1 }",
  ];
  for (const text of secrets) {
    await load(text);
    await load(text, {}, 0o640).catch((error: unknown) => {
      // root may let a group read it; nobody else may.
      if (process.getuid?.() === 0 || !(error instanceof ConfigError)) throw error;
    });
    const error = await load(text, {}, 0o644).then(
      () => assert.fail("was taken"),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof ConfigError);
    assert.match(error.message, /is a password: others may use it, its mode is 644; chmod 600 \//);
    assert.doesNotMatch(error.message, /secret/);
  }
  await load("nats: { url: nats://me@127.0.0.1 }", {}, 0o644);
  await load("maxretry: 3", { FLEETBAN_NATS_PASSWORD: "secret" }, 0o644);
});

test("files are relative to the configuration that names them, not to where one stands", async () => {
  const { nats } = await load("nats: { creds: me.creds, ca: /etc/ca.pem }");
  assert.match(nats.creds ?? "", /\/fleetban-config-\w+\/me\.creds$/);
  assert.equal(nats.ca, "/etc/ca.pem");
  const given = await load("", { FLEETBAN_NATS_CREDS: "me.creds" });
  assert.equal(given.nats.creds, "me.creds");
});
