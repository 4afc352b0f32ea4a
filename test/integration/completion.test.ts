/** Completion in the real shells, with names that a real coordinator knows. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { startCentre, type Centre } from "../harness/centre.ts";
import { startTestNats, type TestNats } from "../harness/servers.ts";
import { offeredBy, SHELLS } from "../harness/shell-completion.ts";

let folder: string;
let nats: TestNats;
let centre: Centre;
let environment: Record<string, string>;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban-completion-"));
  nats = await startTestNats();
  centre = await startCentre({
    ...{ folder, natsUrl: nats.url, coordinatorYaml: "jails: { dovecot: {}, sogo: {} }" },
  });
  const bin = join(folder, "bin");
  await mkdir(bin);
  await symlink(resolve(import.meta.dirname, "../../dist/cli/main.cjs"), join(bin, "fleetban"));
  environment = { PATH: `${bin}:${process.env["PATH"]}`, NATS_URL: nats.url, HOME: folder };
});
after(async () => {
  await centre[Symbol.asyncDispose]();
  await nats[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

for (const shell of ["bash", "zsh", "fish"] as const satisfies (keyof typeof SHELLS)[]) {
  test(`${shell} completes commands, options, jails and hosts`, async () => {
    const { stdout: script } = await centre.cli("completion", shell);
    const offered = (line: string) => offeredBy(shell, { script, line, environment });
    const commands = await offered("fleetban ban ");
    for (const command of ["add", "list", "why"]) assert.ok(commands.includes(command), command);
    assert.deepEqual(await offered("fleetban ban li"), ["list"]);
    assert.deepEqual(await offered("fleetban ban add --jai"), ["--jail"]);
    assert.deepEqual(await offered("fleetban ban add --jail "), ["dovecot", "sogo"]);
    assert.deepEqual(await offered("fleetban host show "), ["mx1"]);
    assert.deepEqual(await offered("fleetban failure top d"), ["domains"]);
    assert.deepEqual(await offered("fleetban ban import --format f"), ["fail2ban"]);
  });
}
