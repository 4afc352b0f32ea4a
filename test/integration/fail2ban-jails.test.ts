/**
 * What a jail's bans close, as `fleetban import fail2ban` carries it over, against the commands that
 * fail2ban itself would run (`fail2ban-client -d`): ports, protocol and chain of every jail that it
 * ships, with each banaction, and of jails in the forms that people publish. Where fail2ban is not
 * installed this is skipped.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { importFail2ban } from "../../services/cli/import/fail2ban-jails.ts";
import { portsOf } from "../../services/cli/import/ports.ts";

const isInstalled =
  existsSync("/usr/bin/fail2ban-client") &&
  existsSync("/etc/fail2ban/jail.conf") &&
  existsSync("/usr/bin/python3");
const skip = isInstalled ? false : "fail2ban is not installed";

interface Closed {
  ports: number[] | "all";
  protocols: string[];
  chains: string[];
}

/** A copy of fail2ban's own configuration with this jail.local. */
async function configuredWith(jailLocal: string) {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-fail2ban-"));
  await cp("/etc/fail2ban", folder, { recursive: true });
  await rm(join(folder, "jail.d"), { recursive: true, force: true });
  await writeFile(join(folder, "jail.local"), jailLocal);
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

/** fail2ban prints Python's lists. */
const TO_JSON =
  "import ast,json,sys\nprint(json.dumps([ast.literal_eval(l) for l in sys.stdin if l[:1]=='[']))";

/** By jail: what the commands of its actions close, read from the commands. */
function askFail2ban(folder: string): Map<string, Closed[]> {
  const printed = execFileSync("/usr/bin/fail2ban-client", ["-c", folder, "-d"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    maxBuffer: 2 ** 26,
  });
  const json = execFileSync("/usr/bin/python3", ["-c", TO_JSON], {
    input: printed,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  const jails = new Map<string, Closed[]>();
  for (const command of JSON.parse(json) as unknown[][]) {
    const [verb, jail, what, , settings] = command;
    if (verb !== "multi-set" || what !== "action") continue;
    const options = new Map(settings as [string, string][]);
    const rules = `${options.get("actionstart") ?? ""}\n${options.get("actionban") ?? ""}`;
    const closed = readRules(rules);
    if (!closed) continue;
    jails.set(String(jail), [...(jails.get(String(jail)) ?? []), closed]);
  }
  return jails;
}

function readRules(rules: string): Closed | undefined {
  if (!/iptables|\bnft |firewall-cmd|ufw /.test(rules)) return undefined;
  const port =
    /--dports? (\S+)/.exec(rules)?.[1] ??
    /dport \\\{ \$\(echo '([^']*)'/.exec(rules)?.[1] ??
    /ports="([^"]*)"/.exec(rules)?.[1];
  const protocol =
    /for proto in \$\(echo '([^']*)'/.exec(rules)?.[1] ??
    /l4proto \\\{ ([\w,]+) \\\}/.exec(rules)?.[1] ??
    /protocol='(\w+)'/.exec(rules)?.[1] ??
    / -p (\w+) /.exec(rules)?.[1] ??
    "all";
  const chain = /-I (\S+) (?:-p|-m)/.exec(rules)?.[1];
  const { ports } = port === undefined ? { ports: "all" as const } : portsOf(port);
  return {
    ports: ports === "all" ? ports : ports.toSorted((a, b) => a - b),
    protocols: protocol.split(","),
    chains: chain === undefined ? [] : [chain],
  };
}

/** Every enabled jail of the folder: the same is closed, or less and a note says so. */
function compare(folder: string): number {
  const expected = askFail2ban(folder);
  const imported = importFail2ban(folder);
  assert.ok(imported);
  let compared = 0;
  for (const { origin, settings, chains = ["INPUT"], notes } of imported.jails) {
    const ofJail = expected.get(origin) ?? [];
    if (settings === undefined) {
      assert.ok(notes.length > 0 || imported.notes.length > 0, `${origin}: nothing is said`);
      continue;
    }
    compared += 1;
    const isAll = ofJail.some(({ ports }) => ports === "all");
    const found = settings.ports === "all" ? "all" : settings.ports.toSorted((a, b) => a - b);
    const all = ofJail.flatMap((each) => (each.ports === "all" ? [] : each.ports));
    const expectedPorts = [...new Set(all)].toSorted((a, b) => a - b);
    assert.deepEqual(found, isAll ? "all" : expectedPorts, origin);
    assert.deepEqual(
      (settings.protocol ?? (isAll ? "all" : "tcp")).split(","),
      [...new Set(ofJail.flatMap(({ protocols }) => protocols))],
      origin,
    );
    const hooked = [...new Set(ofJail.flatMap((each) => each.chains))];
    if (hooked.length > 0) assert.deepEqual(chains, hooked, origin);
  }
  return compared;
}

for (const banaction of [
  "iptables-multiport",
  "iptables-allports",
  "iptables-ipset-proto6",
  "iptables-ipset-proto6-allports",
  "iptables[type=oneport]",
  "nftables-multiport",
  "nftables-allports",
  "nftables[type=allports]",
  "firewallcmd-rich-rules",
  "ufw",
]) {
  test(
    `every jail that fail2ban ships closes with ${banaction} what it closes there`,
    { skip },
    async () => {
      await using made = await configuredWith(
        `[DEFAULT]\nenabled = true\nbackend = polling\nbanaction = ${banaction}\n`,
      );
      assert.ok(compare(made.folder) > 40);
    },
  );
}

/** In the forms of how-tos, forums and mail servers' manuals. */
const PUBLISHED: Readonly<Record<string, string>> = {
  "ports inside the action": `filter = dovecot
action = iptables-multiport[name=dovecot-pop3imap, port="pop3,pop3s,imap,imaps", protocol=tcp]
         sendmail-whois[name=dovecot-pop3imap, dest=root, sender=fail2ban@example.org]
maxretry = 5
findtime = 1200
bantime = 1200`,
  "ports in the jail": "filter = dovecot\nport = pop3,pop3s,imap,imaps,submission,465,sieve",
  "no port at all": "filter = dovecot",
  "an action without a port": "filter = dovecot\naction = iptables-multiport[name=dovecot]",
  "iptables and its type":
    'filter = dovecot\naction = iptables[type=multiport, name=dovecot, port="143,993"]',
  "one port": "filter = sshd\naction = iptables[name=SSH, port=ssh, protocol=tcp]",
  "all ports": "filter = sshd\naction = iptables-allports[name=sshd]",
  "all ports by the banaction": "filter = sshd\nbanaction = %(banaction_allports)s",
  "mail with whois and lines": "filter = dovecot\nport = imap\naction = %(action_mwl)s",
  "mail with whois": "filter = dovecot\nport = imap,imaps\naction = %(action_mw)s",
  "a chain of Docker's": "filter = dovecot\nport = imap,imaps\nchain = DOCKER-USER",
  "a chain inside the action":
    'filter = dovecot\naction = iptables-multiport[name=mail, port="110,995,143,993", chain=FORWARD]',
  "a chain's old name":
    'filter = dovecot\naction = iptables-allports[name=mail, chain="DOCKER-USER", protocol=all]',
  "blocktype DROP":
    'filter = dovecot\naction = iptables-multiport[name=mail, port="imap,imaps", blocktype=DROP]',
  "a bantime of the action":
    'filter = dovecot\naction = iptables-multiport[name=mail, port="imap", bantime=3600]',
  udp: "filter = asterisk\nport = 5060,5061\nprotocol = udp",
  "tcp and udp": "filter = named-refused\nport = domain,953\nprotocol = tcp,udp",
  "two actions":
    'filter = asterisk\naction = iptables-multiport[name=a-tcp, port="5060,5061", protocol="tcp"]\n         iptables-multiport[name=a-udp, port="5060,5061", protocol="udp"]',
  "nftables by hand":
    'filter = dovecot\naction = nftables-multiport[name=mail, port="imap,imaps", protocol=tcp]',
  "ipset of every port": "filter = dovecot\naction = iptables-ipset-proto6-allports[name=mail]",
  "only mail": "filter = dovecot\naction = sendmail-whois[name=mail, dest=root]",
  "the port of all": "filter = dovecot\nport = 0:65535",
  "a ban for ever": "filter = dovecot\nport = imap\nbantime = -1",
};

test(
  "jails of the forms that people publish close what they close in fail2ban",
  { skip },
  async () => {
    const jails = Object.entries(PUBLISHED).map(
      ([form, text]) =>
        `[${form.replaceAll(" ", "-")}]\nenabled = true\nlogpath = /var/log/mail.log\n${text}\n`,
    );
    await using made = await configuredWith(`[DEFAULT]\nbackend = polling\n${jails.join("")}`);
    // Not the one that only sends mail, nor the one whose filter cannot be carried over.
    assert.equal(compare(made.folder), jails.length - 2);
  },
);
