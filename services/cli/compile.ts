/**
 * Compiles the bundled CLI for `deploy/build`: `node compile.js dist/cli`. It asks for the status of a
 * fleet that answers, so that V8 has compiled what a command that asks needs: the
 * configuration, the credentials, the connection, the reply and the table.
 */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { readVersion } from "../process/version.ts";
import type { Reply } from "../wire/api.ts";
import { spellInstants } from "../wire/instants.ts";
import { VERSION_HEADER } from "../wire/api-headers.ts";
import { compileScript, type RunModule } from "./compiled-script.ts";

const STATUS: Reply<"status.show"> = {
  ...{ version: readVersion(), coordinator: "centre", decider: "centre", startedAt: Date.now() },
  ...{ hosts: { up: 1, down: 1, current: 1 }, bans: 1, heldBans: 0, allowed: 0 },
  jails: [
    {
      ...{ v: 1, name: "dovecot", ports: [143, 993], maxretry: 5, findtime: 600, bantime: 3600 },
      increment: { factor: 1, multipliers: [], overalljails: false },
    },
  ],
  ...{ jailCount: 1, failures: 1, undecodable: 0, postgres: { reachable: true, lag: 0 } },
  warnings: [{ code: "host-silent", severity: "medium", text: "mx1: no status for a minute" }],
  warningCounts: { high: 0, medium: 1, low: 0 },
};

/** Answers as a NATS server with a coordinator behind it does, as far as one request needs it. */
function answer(socket: Socket): void {
  const info = { server_id: "S", version: "2.10.0", max_payload: 1_048_576, headers: true };
  socket.write(`INFO ${JSON.stringify({ ...info, nonce: "n", auth_required: true })}\r\n`);
  socket.on("data", (data) => {
    const text = data.toString("latin1");
    if (/^PING\r\n/m.test(text)) socket.write("PONG\r\n");
    const inbox = /^PUB \S+ (\S+) /m.exec(text)?.[1];
    if (inbox === undefined) return;
    const headers = `NATS/1.0\r\n${VERSION_HEADER}: ${readVersion()}\r\n\r\n`;
    const message = `${headers}${JSON.stringify(spellInstants(STATUS))}`;
    socket.write(`HMSG ${inbox} 1 ${headers.length} ${message.length}\r\n${message}\r\n`);
  });
}

/** Nobody checks them. */
function credentials(): string {
  const claims = JSON.stringify({ name: "nobody", iss: "A", nats: {} });
  return `
-----BEGIN NATS USER JWT-----
e.${Buffer.from(claims).toString("base64url")}.s
------END NATS USER JWT------
-----BEGIN USER NKEY SEED-----
SU${"A".repeat(56)}
------END USER NKEY SEED------
`;
}

const clientYaml = (port: number) => `
nats:
  url: nats://127.0.0.1:${port}
  creds: nobody.creds
`;

interface Yaml {
  parseDocument: (text: string, options: object) => { toJS: (options: object) => unknown };
}

const scripts = resolve(process.argv[2] ?? "dist/cli");
process.argv.splice(2, Infinity, "status");
const load = createRequire(import.meta.url);
const server = createServer(answer).listen(0, "127.0.0.1");
await once(server, "listening");
const folder = mkdtempSync(join(tmpdir(), "fleetban-compile-"));
try {
  const yaml = clientYaml((server.address() as AddressInfo).port);
  writeFileSync(join(folder, "client.yaml"), yaml, { mode: 0o600 });
  writeFileSync(join(folder, "nobody.creds"), credentials(), { mode: 0o600 });
  delete process.env["NATS_URL"];
  process.env["FLEETBAN_HOME"] = folder;
  await compileScript(join(scripts, "run.cjs"), load, ({ run }: RunModule) => run());
  await compileScript(join(scripts, "yaml.cjs"), load, ({ parseDocument }: Yaml) =>
    parseDocument(yaml, { prettyErrors: true }).toJS({ maxAliasCount: 100 }),
  );
  await compileScript(join(scripts, "re2js.cjs"), load);
  await compileScript(join(scripts, "x509.cjs"), load);
} finally {
  rmSync(folder, { recursive: true });
  server.close();
}
