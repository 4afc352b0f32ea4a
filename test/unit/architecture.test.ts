import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";

/**
 * What each part may import besides itself; the arrows of ARCHITECTURE.md. The
 * agent stays light because Prisma is not in its reach, and no program knows another's inside.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  process: ["wire"],
  config: ["wire", "process"],
  nats: ["wire", "process"],
  detection: ["wire"],
  policy: ["wire", "config"],
  agent: ["wire", "process", "config", "nats", "detection", "policy"],
  coordinator: ["wire", "process", "config", "nats", "policy", "detection", "web", "../prisma"],
  web: ["wire", "process", "config", "nats"],
  cli: ["wire", "process", "config", "nats", "detection", "policy"],
  standalone: ["process", "nats"],
};

/**
 * What each lane of a program may import of the same program. A file that lies beside the lanes
 * (`agent.ts`, `coordinator.ts`) may import every lane: the wiring is there.
 */
const LANES: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  agent: {
    state: [],
    report: ["state"],
    enforce: ["state"],
    alone: ["state"],
    status: ["report", "enforce"],
    check: ["state", "report", "enforce"],
    setup: ["report", "enforce"],
  },
  coordinator: {
    buckets: [],
    decide: ["buckets", "hosts"],
    history: ["buckets", "decide"],
    hosts: ["buckets", "decide", "history", "upkeep"],
    upkeep: ["buckets", "history", "hosts"],
    notify: [],
    metrics: ["buckets", "decide", "hosts", "history"],
    api: ["buckets", "notify", "decide", "hosts", "upkeep", "history", "metrics"],
    http: ["buckets", "decide", "history", "metrics"],
    check: ["history"],
  },
  // Of the server the browser knows the API alone, see below.
  web: { server: [], browser: [] },
};
/** What the lanes share lies beside them: the configuration, and what the whole fleet has set. */
const BESIDE_LANES =
  /^(?:agent\/(?:agent-config|fleet-settings|saved-settings|seen-logins|nats-options)|coordinator\/(?:coordinator|jail|allowed)-config)\.ts$/;
const SERVICES = resolve(import.meta.dirname, "../../services");

const sourceFiles = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => /\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));

/** Every import of a file of ours, both as paths below `services`. */
const importsOf = (folder: string): { file: string; imported: string }[] =>
  sourceFiles(folder).flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(/(?:from|import\(?)\s*"(\.[^"]+)"/g)].map(
      ([, target = ""]) => ({
        file: relative(SERVICES, file),
        imported: relative(SERVICES, resolve(dirname(file), target)),
      }),
    ),
  );

for (const part of readdirSync(SERVICES)) {
  test(`services/${part} imports only what it may`, () => {
    const allowed = [part, ...(MAY_IMPORT[part] ?? assert.fail(`${part} is not in MAY_IMPORT`))];
    for (const { file, imported } of importsOf(join(SERVICES, part))) {
      const ok = allowed.some((name) => imported.startsWith(`${name}/`));
      assert.ok(ok, `${file} imports ${imported}`);
    }
  });
}

for (const [program, lanes] of Object.entries(LANES)) {
  test(`services/${program} imports along its lanes`, () => {
    for (const entry of readdirSync(join(SERVICES, program), { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      const lane = entry.name;
      const others = lanes[lane] ?? assert.fail(`${program}/${lane} is not in LANES`);
      const allowed = [lane, ...others].map((name) => `${program}/${name}/`);
      for (const { file, imported } of importsOf(join(SERVICES, program, lane))) {
        const ok =
          !imported.startsWith(`${program}/`) ||
          BESIDE_LANES.test(imported) ||
          allowed.some((name) => imported.startsWith(name));
        assert.ok(ok, `${file} imports ${imported}`);
      }
    }
  });
}

test("the web page imports of services/wire the types alone, and of npm what the browser needs", () => {
  const folder = join(SERVICES, "web/browser");
  for (const { file, imported } of importsOf(folder)) {
    const ok = imported.startsWith("web/browser/") || imported.startsWith("wire/");
    assert.ok(ok, `${file} imports ${imported}`);
  }
  for (const file of sourceFiles(folder)) {
    const text = readFileSync(file, "utf8");
    for (const [statement] of text.matchAll(
      /^import\s(?!type\s)[^;]*?from "\.[^"]*\/wire\/[^"]*"/gm,
    )) {
      assert.fail(`${file}: expected import type: ${statement}`);
    }
    for (const [, name = ""] of text.matchAll(/^import[^;]*?from "([^."][^"]*)"/gm)) {
      assert.match(name, /^(?:preact(?:\/.*)?|uplot|zod|fleetban:world-map)$/, file);
    }
  }
});

test("no part of the coordinator but its configuration, wiring, check and login knows the web page", () => {
  const mayKnow =
    /^coordinator\/(?:coordinator(?:-config|-program|-run)?|check\/coordinator-check|api\/web-login-endpoint)\.ts$/;
  for (const { file, imported } of importsOf(join(SERVICES, "coordinator"))) {
    if (!imported.startsWith("web/")) continue;
    assert.match(file, mayKnow, `${file} imports ${imported}`);
    assert.match(imported, /^web\/server\//);
  }
});

test("only programs and services/process touch the process and the console", () => {
  const mayTouch = /^(?:process|standalone|cli)\/|(?:^|\/)main\.ts$/;
  for (const file of sourceFiles(SERVICES)) {
    const name = relative(SERVICES, file);
    if (mayTouch.test(name)) continue;
    const touched = /\b(?:process\.(?:env|exit|stdout|stderr|argv|on)|console\.)/.exec(
      readFileSync(file, "utf8"),
    );
    assert.equal(touched?.[0], undefined, name);
  }
});

test("nothing starts a shell", () => {
  for (const file of sourceFiles(SERVICES)) {
    const text = readFileSync(file, "utf8");
    assert.doesNotMatch(
      text,
      /\bshell:\s*true|(?<!\.)\bexec(?:Sync)?\(|"(?:\/bin\/)?(?:ba)?sh"/,
      file,
    );
  }
});
