/** Other programs of this machine that ban addresses or manage the firewall. */
import type { Lookups } from "./lookups.ts";

export interface Tool {
  name: string;
  /** What an administrator should know of it beside fleetban. */
  text: string;
}

interface Known {
  name: string;
  isHere: (lookups: Lookups) => Promise<boolean>;
  text: string;
}

const isActive = async ({ run }: Lookups, unit: string) =>
  (await run("systemctl", "is-active", unit)) === "active";

const KNOWN: readonly Known[] = [
  {
    name: "fail2ban",
    isHere: async ({ exists, run }) =>
      exists("/etc/fail2ban") || (await run("fail2ban-client", "--version")) !== undefined,
    text:
      "may go on beside fleetban; fleetban import fail2ban carries its jails and bans over, " +
      "and its Dovecot jails should end then",
  },
  {
    name: "CrowdSec",
    isHere: async ({ exists, run }) =>
      exists("/etc/crowdsec") || (await run("cscli", "version")) !== undefined,
    text: "may go on beside fleetban; fleetban ban import reads what cscli decisions list -o json prints",
  },
  {
    name: "ufw",
    isHere: async ({ run }) => /^Status: active/m.test((await run("ufw", "status")) ?? ""),
    text: "fleetban's rule comes before its rules; ufw reset removes it until the next repair",
  },
  {
    name: "firewalld",
    isHere: (lookups) => isActive(lookups, "firewalld.service"),
    text: "a reload removes rules of iptables until the next repair; backend nftables is not touched by it",
  },
  {
    name: "Docker",
    isHere: async ({ run }) =>
      (await run("docker", "version", "--format", "{{.Server.Version}}")) !== undefined,
    text: "packets to ports that it publishes pass DOCKER-USER, not INPUT",
  },
];

export async function findTools(lookups: Lookups): Promise<Tool[]> {
  const found = await Promise.all(
    KNOWN.map(async ({ name, isHere, text }) => ((await isHere(lookups)) ? [{ name, text }] : [])),
  );
  return found.flat();
}
