/** The compose files of deploy/compose, against what they speak of: no Docker engine is needed. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import * as z from "zod";
import { commandsOf } from "../../../services/cli/completion/command-tree.ts";
import { PROGRAMS } from "../../../deploy/package/programs.ts";
import { AGENT_VARIABLES, agentConfig } from "../../../services/agent/agent-config.ts";
import {
  COORDINATOR_VARIABLES,
  coordinatorConfig,
} from "../../../services/coordinator/coordinator-config.ts";
import { createHealth } from "../../../services/coordinator/http/health.ts";
import { serveHttp } from "../../../services/coordinator/http/http-server.ts";
import { parseListen } from "../../../services/config/listen.ts";
import { loadConfig } from "../../../services/config/load-config.ts";
import { freePort } from "../../../services/standalone/child.ts";
import { runFleetban } from "../../harness/fleetban.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const FOLDER = join(ROOT, "deploy/compose");
const UNITS = join(ROOT, "deploy/systemd");
const SECRETS = "/run/secrets";

const texts = z.array(z.string()).default([]);
const service = z.strictObject({
  ...{ command: texts, ports: texts, secrets: texts, volumes: texts, tmpfs: texts },
  ...{ group_add: texts, cap_add: texts },
  build: z
    .strictObject({ context: z.string(), dockerfile: z.string(), target: z.string() })
    .optional(),
  image: z.string(),
  restart: z.literal("unless-stopped"),
  init: z.literal(true).optional(),
  user: z.string(),
  network_mode: z.literal("host").optional(),
  read_only: z.literal(true),
  cap_drop: z.tuple([z.literal("ALL")]),
  security_opt: z.tuple([z.literal("no-new-privileges:true")]),
  environment: z.record(z.string(), z.string()).default({}),
  healthcheck: z
    .strictObject({
      test: z.array(z.string()),
      ...{ interval: z.string(), timeout: z.string(), start_period: z.string() },
      retries: z.number(),
    })
    .optional(),
});
const file = z.object({
  services: z.record(z.string(), service),
  volumes: z.record(z.string(), z.null()),
  secrets: z.record(z.string(), z.strictObject({ file: z.string() })).default({}),
});

const read = (name: string) => readFile(join(FOLDER, name), "utf8");
const compose = async (name: string) => file.parse(parse(await read(name), { merge: true }));
const centre = await compose("compose.yaml");
const host = await compose("agent.yaml");
const all = [centre, host].flatMap(({ services }) => Object.entries(services));
const serviceOf = (name: string) => all.find(([each]) => each === name)![1];

/** A README's commands that begin so. */
async function commands(beginning: string): Promise<string[][]> {
  const lines = (await read("README.md")).split("\n");
  const found = lines.filter((line) => line.startsWith(`    ${beginning} `));
  return found.map((line) => line.trim().split(" "));
}

test("every service is sealed off, is started again, and is no root unless it changes a firewall", () => {
  for (const [name, { user, cap_add, healthcheck }] of all) {
    const isAgent = name === "agent";
    assert.equal(user.startsWith("${FLEETBAN_UID:?"), !isAgent, name);
    assert.deepEqual(cap_add, isAgent ? ["NET_ADMIN", "NET_RAW"] : [], name);
    assert.equal(healthcheck === undefined, isAgent, name);
  }
});

test("images are made of targets that are there, and of packages that npm run package makes", async () => {
  const dockerfile = await read("Dockerfile");
  const targets = [...dockerfile.matchAll(/^FROM \S+ AS (\w+)$/gm)].map(([, name]) => name);
  for (const [name, { build }] of all) {
    if (!build) continue;
    const { context, dockerfile: path, target } = build;
    assert.ok(targets.includes(target), `${name}: ${target}`);
    assert.ok(existsSync(resolve(FOLDER, context, path)), path);
    assert.ok(existsSync(resolve(FOLDER, context, "package.json")), context);
  }
  const copied = [...dockerfile.matchAll(/^COPY (\S+) /gm)].map(([, path = ""]) => path);
  const packages = PROGRAMS.map(({ name }) => `dist/${name}_*.deb`);
  for (const path of copied) assert.ok(packages.includes(path), path);
  const sent = (await read("Dockerfile.dockerignore")).split("\n").filter(Boolean);
  assert.deepEqual(sent, ["*", ...copied.map((path) => `!${path}`)]);
  for (const [, program] of dockerfile.matchAll(/^ENTRYPOINT \["(fleetban\S*)"\]$/gm)) {
    assert.ok(
      PROGRAMS.some(({ name }) => name === program),
      program,
    );
  }
});

test("every variable is one that its program reads or its unit sets, and every option one that it has", () => {
  for (const [name, variables] of [
    ["coordinator", COORDINATOR_VARIABLES],
    ["agent", AGENT_VARIABLES],
  ] as const) {
    const { environment, command } = serviceOf(name);
    const unit = readFileSync(join(UNITS, `fleetban-${name}.service`), "utf8");
    for (const [variable, value] of Object.entries(environment)) {
      const isOfUnit = unit.includes(`\nEnvironment=${variable}=${value}\n`);
      assert.ok(variable in variables || isOfUnit, variable);
    }
    const program = PROGRAMS.find((each) => each.name === `fleetban-${name}`)!;
    const nodes = commandsOf(program.command());
    const known = nodes.flatMap(({ words, options }) => [
      words.join(" "),
      ...options.map(({ long }) => long),
    ]);
    for (const word of command.filter((each) => !each.startsWith("/"))) {
      assert.ok(known.includes(word), `${name}: ${word}`);
    }
  }
});

test("the keys that the README makes are all that the centre mounts, and fit it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-compose-"));
  try {
    for (const [, ...args] of await commands("fleetban key")) {
      const { code, stderr } = await runFleetban(args, {}, folder);
      assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
    }
    const written = (await read("README.md")).split(/\s+/);
    for (const [name, { file: path }] of Object.entries(centre.secrets)) {
      const isMade = existsSync(join(folder, path)) || written.includes(path);
      assert.ok(isMade, `${name}: nothing makes ${path}`);
    }
    const servers = ["n1", "n2", "n3"];
    for (const name of servers) {
      const { secrets, volumes, ports, command, healthcheck } = serviceOf(name);
      const text = await readFile(join(folder, `fleetban-keys/servers/${name}.conf`), "utf8");
      for (const [, path = ""] of text.matchAll(/_file: "([^"]+)"/g)) {
        assert.ok(
          secrets.some((each) => `${SECRETS}/${each}` === path),
          `${name}: ${path}`,
        );
      }
      assert.deepEqual(command, ["-c", `${SECRETS}/${name}.conf`]);
      // The container is read-only: the server may write to its volumes alone.
      assert.match(text, /store_dir: "\/var\/lib\/nats\//);
      assert.match(text, /^resolver .* dir: "\/var\/lib\/nats-accounts"/m);
      assert.deepEqual(volumes, [
        `${name}:/var/lib/nats`,
        `${name}-accounts:/var/lib/nats-accounts`,
      ]);
      const port = /^listen: "0\.0\.0\.0:(\d+)"$/m.exec(text)?.[1];
      assert.deepEqual(ports, [`${port}:${port}`]);
      assert.ok(healthcheck?.test.at(-1)?.includes(`/dev/tcp/127.0.0.1/${port} `), name);
      const url = `tls://${name}:${port}`;
      assert.ok(serviceOf("coordinator").environment["NATS_URL"]?.split(",").includes(url), url);
      const peers = [...text.matchAll(/"nats-route:\/\/(\w+):6222"/g)].map(([, peer]) => peer);
      assert.deepEqual(
        peers,
        servers.filter((each) => each !== name),
      );
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("the configurations that come of it are right", async () => {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-compose-"));
  try {
    await mkdir(join(folder, "secrets"));
    const path = join(folder, "secrets/coordinator.yaml");
    await writeFile(path, await read("coordinator.example.yaml"), { mode: 0o600 });
    const { environment } = serviceOf("coordinator");
    const config = await loadConfig(coordinatorConfig, path, environment, COORDINATOR_VARIABLES);
    assert.equal(config.replicas, 3);
    const { hostname, searchParams } = new URL(config.database.url);
    assert.equal(hostname, "postgres");
    const mounted = serviceOf("coordinator").secrets.map((name) => `${SECRETS}/${name}`);
    for (const each of [
      ...[config.nats.creds, config.nats.ca, searchParams.get("sslrootcert")],
      serviceOf("coordinator").command[1],
    ]) {
      assert.ok(mounted.includes(each ?? ""), `${each} is not mounted`);
    }
    const given = { FLEETBAN_HOST: "mx1", NATS_URL: "tls://nats.example.net:4222" };
    const own = { ...serviceOf("agent").environment, ...given };
    const agent = await loadConfig(agentConfig, undefined, own, AGENT_VARIABLES);
    const places = serviceOf("agent").volumes.map((each) => each.split(":")[1]);
    for (const each of [agent.nats.creds, agent.nats.ca, agent.sources[0]?.path, agent.stateDir]) {
      assert.ok(
        places.some((place) => `${each}/`.startsWith(`${place}/`)),
        `${each} is not mounted`,
      );
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("the coordinator's health is asked for where it is told", async () => {
  const url = new URL(serviceOf("coordinator").healthcheck?.test.at(-1) ?? "");
  const { http } = coordinatorConfig.parse({});
  assert.equal(Number(url.port), parseListen(http.listen).port);
  const port = await freePort();
  const server = await serveHttp({
    ...{ host: "127.0.0.1", port, health: createHealth() },
    metrics: { read: () => Promise.resolve(undefined) },
  });
  try {
    const { status } = await fetch(`http://127.0.0.1:${port}${url.pathname}`);
    assert.equal(status, 503);
  } finally {
    await server.close();
  }
});

test("every volume and secret that is used is defined, every file is there", () => {
  for (const { services, volumes, secrets } of [centre, host]) {
    const used = Object.values(services);
    const mounts = used.flatMap((each) => each.volumes.map((volume) => volume.split(":")[0] ?? ""));
    const named = mounts.filter((each) => /^\w/.test(each));
    assert.deepEqual([...new Set(named)].sort(), Object.keys(volumes).sort());
    for (const each of mounts.filter((mount) => mount.startsWith("."))) {
      assert.ok(existsSync(resolve(FOLDER, each)), each);
    }
    const mounted = new Set(used.flatMap((each) => each.secrets));
    assert.deepEqual([...mounted].sort(), Object.keys(secrets).sort());
  }
  const { command, environment, secrets } = serviceOf("postgres");
  const paths = [...command, ...Object.values(environment)].flatMap(
    (text) => /\/run\/secrets\/(\S+)/.exec(text)?.[1] ?? [],
  );
  assert.deepEqual(paths.sort(), [...secrets].sort());
});
