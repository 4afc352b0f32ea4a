import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { agentConfig } from "../../../../../services/agent/agent-config.ts";
import { createSurroundings } from "../../../../../services/agent/report/sources/surroundings.ts";
import { JAIL } from "../../../../harness/jail.ts";
import { journalTrouble } from "../../../../../services/agent/report/sources/journal-access.ts";
import { findListeningPort } from "../../../../../services/agent/report/sources/listening-port.ts";
import { aliasesOf, hasUnit } from "../../../../../services/process/unit-files.ts";

function createFolder() {
  const path = mkdtempSync(join(tmpdir(), "fleetban-surroundings-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

test("a port that a server listens on is found, of any family, and no other", async () => {
  for (const host of ["127.0.0.1", "::1"]) {
    const server = createServer().listen(0, host);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    assert.equal(findListeningPort([1, port]), port, host);
    server.close();
    await once(server, "close");
    assert.equal(findListeningPort([1, port]), undefined, host);
  }
});

test("a unit exists under its name, an alias or a template; without systemd nobody can tell", () => {
  using folder = createFolder();
  const [units, links] = [join(folder.path, "lib"), join(folder.path, "etc")];
  mkdirSync(units);
  mkdirSync(links);
  const folders = [links, units];
  assert.equal(hasUnit("dovecot.service", folders), undefined);
  for (const name of ["multi-user.target", "ssh.service", "postfix@.service", "dovecot.service"]) {
    writeFileSync(join(units, name), "");
  }
  symlinkSync(join(units, "dovecot.service"), join(links, "imap.service"));
  for (const unit of ["dovecot.service", "imap.service", "postfix@-.service", "sshd.service"]) {
    assert.equal(hasUnit(unit, folders), true, unit);
  }
  assert.equal(hasUnit("dovecot2.service", folders), false);
  assert.deepEqual(aliasesOf("imap.service", folders), ["imap.service", "dovecot.service"]);
  assert.deepEqual(aliasesOf("sshd.service", folders), ["sshd.service", "ssh.service"]);
  assert.deepEqual(aliasesOf("ssh.service", folders), ["ssh.service", "sshd.service"]);
});

test("a journal that is not there, or that may not be read, says what to do", () => {
  using folder = createFolder();
  assert.match(journalTrouble(folder.path) ?? "", /^there is no journal in .*journald/);
  const machine = join(folder.path, "0".repeat(32));
  mkdirSync(machine);
  writeFileSync(join(machine, "system.journal"), "");
  assert.equal(journalTrouble(folder.path), undefined);
  if (process.getuid?.() !== 0) return;
  chmodSync(join(machine, "system.journal"), 0o600);
  chmodSync(folder.path, 0o755);
  process.seteuid?.(65534);
  try {
    assert.match(journalTrouble(folder.path) ?? "", /may not be read.*systemd-journal/);
  } finally {
    process.seteuid?.(0);
  }
});

test("an hour without a line is told only while a server listens on a port of the jail", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const { sources } = agentConfig.parse({ host: "mx1", nats: {} });
  const [config] = sources;
  assert.ok(config);
  const state = { now: 0, quietSince: 0, ports: [port] };
  const { look, quietPort } = createSurroundings({
    config,
    jail: () => ({ ...JAIL, ports: state.ports }),
    quietSince: () => state.quietSince,
    now: () => state.now,
  });
  const portAt = (now: number) => {
    state.now = now;
    look();
    return quietPort();
  };
  assert.equal(portAt(3_599_000), undefined);
  assert.equal(portAt(3_640_000), port);
  state.quietSince = 3_650_000;
  assert.equal(portAt(3_680_000), undefined);
  state.ports = [1];
  assert.equal(portAt(9_000_000), undefined);
  server.close();
});
