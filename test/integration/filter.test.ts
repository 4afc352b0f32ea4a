/** A jail with a filter of its own, as it comes from fail2ban, all the way to the ban. */
import assert from "node:assert/strict";
import { appendFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freePort, startChild, type Child } from "../../services/standalone/child.ts";
import { eventually } from "../harness/eventually.ts";
import { fleetban } from "../harness/fleetban.ts";
import { startTestServers } from "../harness/servers.ts";

const ROOT = join(import.meta.dirname, "../..");
const JAIL = `[DEFAULT]
ignoreip = 192.0.2.0/24
[dovecot-pop3imap]
enabled  = true
filter   = dovecot-pop3imap
action   = iptables-multiport[name=dovecot-pop3imap, port="pop3,pop3s,imap,imaps", protocol=tcp]
           mail-whois[name=dovecot-pop3imap, dest=root]
port     = pop3,pop3s,imap,imaps
maxretry = 5
findtime = 1200
bantime  = 1200
logpath  = /var/log/messages
`;
const FILTER = String.raw`[Definition]
failregex = dovecot.*pam_unix.*(?:authentication failure).*rhost=(?:::f{4,6}:)?(?P<host>\S*)
ignoreregex =
`;

/** What one failed attempt leaves in the log. */
function attempt(address: string): string {
  const date = new Date();
  const stamp = `${date.toLocaleString("en-US", { month: "short" })} ${String(date.getDate()).padStart(2)} ${date.toTimeString().slice(0, 8)}`;
  return [
    "dovecot(pam_unix)[26236]: check pass; user unknown",
    `dovecot(pam_unix)[26236]: authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=info@example.com rhost=${address}`,
    `PAM-warn[26236]: function=[pam_sm_authenticate] service=[dovecot] terminal=[dovecot] user=[info@example.com] ruser=[info@example.com] rhost=[${address}]`,
  ]
    .map((text) => `${stamp} mx1 ${text}\n`)
    .join("");
}

test("fail2ban's set-up for Dovecot, taken over as it is, bans on its three lines at the fifth attempt", async () => {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-filter-"));
  const [nats, postgres] = await startTestServers();
  const children: Child[] = [];
  const start = async (program: string, env: Readonly<Record<string, string>> = {}) => {
    const config = join(folder, `${program}.yaml`);
    const child = await startChild(process.execPath, {
      args: [join(ROOT, `dist/services/${program}/main.js`), "run", "--config", config],
      env: { PATH: process.env["PATH"], NATS_URL: nats.url, ...env },
    });
    children.push(child);
  };
  const ask = async (...args: string[]) => (await fleetban(args, { NATS_URL: nats.url })).stdout;
  try {
    await mkdir(join(folder, "filter.d"));
    await writeFile(join(folder, "jail.local"), JAIL);
    await writeFile(join(folder, "filter.d/dovecot-pop3imap.conf"), FILTER);
    const imported = await fleetban(["import", "fail2ban", folder]);
    assert.equal(imported.code, 0, imported.stderr);
    assert.match(imported.stdout, /type: mail\n +to:\n +- root\n/);

    const messages = join(folder, "messages");
    const [centre = "", host = ""] = imported.stdout.split("---\n");
    await writeFile(join(folder, "coordinator.yaml"), centre);
    const settings = `host: mx1\nstateDir: ${folder}/state\nfirewall: { backend: dry-run }\n`;
    await writeFile(
      join(folder, "agent.yaml"),
      settings + host.replace("/var/log/messages", messages),
    );
    await writeFile(messages, "");

    // The agent does not know this jail yet: its source waits until it does.
    await start("agent");
    await start("coordinator", {
      DATABASE_URL: await postgres.createDatabase(),
      FLEETBAN_HTTP_LISTEN: `127.0.0.1:${await freePort()}`,
    });
    await eventually("the host is there", async () => (await ask("host", "list")).includes("mx1"));

    const spared = attempt("192.0.2.7").repeat(6);
    await appendFile(messages, attempt("198.51.100.7").repeat(4) + spared);
    await eventually("they are counted", async () => {
      const { failures } = JSON.parse(await ask("status", "--json")) as { failures: number };
      return failures === 10;
    });
    assert.doesNotMatch(await ask("ban", "list"), /198\.51\.100\.7/);

    await appendFile(messages, attempt("198.51.100.7"));
    await eventually("the ban is there", async () =>
      (await ask("ban", "list")).includes("198.51.100.7"),
    );
    assert.doesNotMatch(await ask("ban", "list"), /192\.0\.2\.7/);
  } finally {
    for (const child of children) await child.stop();
    await Promise.all([nats[Symbol.asyncDispose](), postgres[Symbol.asyncDispose]()]);
    await rm(folder, { recursive: true, force: true });
  }
});
