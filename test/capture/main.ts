/**
 * npm run capture -- FOLDER [--root24 DIR] [NAME...]
 *
 * Runs real Dovecots, set up in many ways, lets clients log in wrongly, and keeps what was
 * logged with what is known to have happened. As root; Dovecot 2.4 comes from a Debian 13
 * that was unpacked into DIR (mmdebstrap --variant=minbase --include=dovecot-imapd,
 * dovecot-pop3d,dovecot-submissiond,dovecot-managesieved,rsyslog trixie DIR).
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync, chmodSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createNetwork } from "../harness/netns.ts";
import { CONFIGURATIONS, type Configuration } from "./configurations.ts";
import { startMachine } from "./machine.ts";
import { actionsOf, attemptsOf } from "./truth.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { root24: { type: "string" } },
});
const [folder = "", ...names] = positionals;
mkdirSync(folder, { recursive: true });

for (const configuration of CONFIGURATIONS) {
  const root = configuration.dovecot === "2.3" ? "/" : values.root24;
  if (root === undefined || (names.length > 0 && !names.includes(configuration.name))) continue;
  process.stdout.write(`${configuration.name}\n`);
  await capture(configuration, root).catch((error: unknown) => {
    process.stderr.write(`${configuration.name}: ${String(error)}\n`);
  });
}

async function capture(configuration: Configuration, root: string): Promise<void> {
  const network = await createNetwork(["mx1", "clients"]);
  const work = mkdtempSync(join(tmpdir(), "fleetban-capture-"));
  chmodSync(work, 0o755);
  const [host, clients] = [network.host("mx1"), network.host("clients")];
  const all = actionsOf(configuration);
  try {
    for (const { address } of all) await clients.addAddress(address);
    const machine = await startMachine(host, root, work, configuration);
    try {
      const script = join(import.meta.dirname, "client-process.ts");
      const { name } = configuration;
      await clients.run(process.execPath, [
        ...["--import", "tsx", script, name, host.address4, host.address6],
      ]);
      await new Promise((resolve) => setTimeout(resolve, 4_000)); // PAM writes late
      const logs = ["mail.log", "auth.log", "backend.log"].filter(
        (log) => machine.read(log).length,
      );
      for (const log of logs) writeFileSync(join(folder, `${name}.${log}`), machine.read(log));
      const truth = all.map(({ action, address }) => {
        return [address, attemptsOf(configuration, action), action.what];
      });
      const rows = truth.map((row) => JSON.stringify(row)).join("\n");
      writeFileSync(join(folder, `${name}.truth.jsonl`), `${rows}\n`);
    } finally {
      await machine.stop();
    }
  } finally {
    await network[Symbol.asyncDispose]();
    rmSync(work, { recursive: true, force: true });
  }
}
