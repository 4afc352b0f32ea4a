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
  daemon: ["wire"],
  nats: ["wire", "daemon"],
  detection: ["wire"],
  agent: ["wire", "daemon", "nats", "detection"],
  counting: ["wire", "daemon"],
  coordinator: ["wire", "daemon", "nats", "counting", "detection", "../prisma"],
  cli: ["wire", "daemon", "nats", "detection", "counting"],
  standalone: ["daemon", "nats"],
};
const SERVICES = resolve(import.meta.dirname, "../../services");

const sourceFiles = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name));

for (const part of readdirSync(SERVICES)) {
  test(`services/${part} imports only what it may`, () => {
    const allowed = [part, ...(MAY_IMPORT[part] ?? assert.fail(`${part} is not in MAY_IMPORT`))];
    for (const file of sourceFiles(join(SERVICES, part))) {
      const text = readFileSync(file, "utf8");
      for (const [, target = ""] of text.matchAll(/(?:from|import\(?)\s*"(\.[^"]+)"/g)) {
        const imported = relative(SERVICES, resolve(dirname(file), target));
        const ok = allowed.some((name) => imported.startsWith(`${name}/`));
        assert.ok(ok, `${relative(SERVICES, file)} imports ${imported}`);
      }
    }
  });
}

test("only programs and services/daemon touch the process and the console", () => {
  const mayTouch = /^(?:daemon|standalone|cli)\/|(?:^|\/)main\.ts$/;
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
