/**
 * A fleet before its first deployment: a centre and two mail hosts with nothing of fleetban, an
 * administrator with the packages and Ansible, an attacker, and a client that does nothing wrong.
 */
import { join } from "node:path";
import { starting } from "../../services/daemon/release.ts";
import { createGuests, type Guest, type Guests } from "../harness/guests.ts";
import { startMailClient, type MailClient } from "../harness/mail-client.ts";
import type { Namespace } from "../harness/netns.ts";
import { createAnsible, type Ansible } from "./ansible.ts";
import { placeDovecot } from "./mail-host.ts";
import { makeNextAgent, makePackages, type Packages } from "./packages.ts";
import { runProgram, type Finished } from "./program.ts";

export interface DeployedFleet extends AsyncDisposable {
  guests: Guests;
  centre: Guest;
  /** mx1 is Debian 12 and has a mail.log, mx2 is Debian 13 and has its journal alone. */
  mailHosts: readonly Guest[];
  ansible: Ansible;
  attacker: MailClient;
  client: MailClient;
  attackerNamespace: Namespace;
  /** The administrator's folder of keys. */
  keys: string;
  packages: Packages;
  /** A later version of the agent. */
  nextAgent: Packages;
  /** The fleetban program, run by the administrator. */
  cli(...args: readonly string[]): Promise<Finished>;
  /** Runs it with --json and returns what it printed. */
  ask<T>(...args: readonly string[]): Promise<T>;
}

export async function createDeployedFleet(): Promise<DeployedFleet> {
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const packages = makePackages();
  const nextAgent = await makeNextAgent(packages.version, say);
  const [fleet, release] = await starting<Omit<DeployedFleet, keyof AsyncDisposable>>(
    async (onRelease) => {
      const guests = await createGuests({
        guests: { centre: "bookworm", mx1: "bookworm", mx2: "trixie" },
        others: ["admin", "attacker", "client"],
        say,
      });
      onRelease(() => guests[Symbol.asyncDispose]());
      const [centre, ...mailHosts] = guests.guests;
      if (!centre) throw new Error("there is no centre");
      for (const guest of mailHosts) placeDovecot(guest);
      centre.place(
        "etc/systemd/system/dovecot.service.d/off.conf",
        "[Unit]\nConditionPathExists=/none\n",
      );
      await Promise.all(guests.guests.map((guest) => guest.boot()));

      const admin = guests.network.host("admin");
      const keys = join(guests.folder, "fleetban-keys");
      const program = join(packages.folder, "fleetban");
      const inventory = inventoryOf(guests, { keys, program, packages: packages.folder });
      const ansible = await createAnsible({ guests, admin, inventory });
      const attackerNamespace = guests.network.host("attacker");
      const attacker = startMailClient(attackerNamespace.spawn);
      onRelease(() => attacker[Symbol.asyncDispose]());
      const client = startMailClient(guests.network.host("client").spawn);
      onRelease(() => client[Symbol.asyncDispose]());
      const cli = (...args: readonly string[]) =>
        runProgram(admin.spawn, program, args, { env: { ...process.env, FLEETBAN_HOME: keys } });
      return {
        ...{ guests, centre, mailHosts, ansible, attacker, client, attackerNamespace },
        ...{ keys, packages, nextAgent, cli },
        async ask<T>(...args: readonly string[]) {
          const { code, stdout, stderr } = await cli(...args, "--json");
          if (code !== 0) throw new Error(`fleetban ${args.join(" ")}: exit ${code}: ${stderr}`);
          return JSON.parse(stdout) as T;
        },
      };
    },
  );
  return { ...fleet, [Symbol.asyncDispose]: release };
}

function inventoryOf(
  guests: Guests,
  { keys, program, packages }: { keys: string; program: string; packages: string },
): unknown {
  const at = (name: string) => ({ ansible_host: guests.guest(name).namespace.address4 });
  const mailLog = [{ name: "mail-log", path: "/var/log/mail.log" }];
  return {
    all: {
      vars: {
        ansible_user: "admin",
        ansible_python_interpreter: "/usr/bin/python3",
        fleetban_cli: program,
        fleetban_keys: keys,
        fleetban_packages: packages,
      },
      children: {
        fleetban_nats: { hosts: { centre: at("centre") } },
        fleetban_coordinators: {
          hosts: { centre: {} },
          // No ban is to run out while the tests go on.
          vars: { fleetban_coordinator_config: { jails: { dovecot: { bantime: "6h" } } } },
        },
        fleetban_agents: {
          hosts: { mx1: { ...at("mx1"), fleetban_agent_sources: mailLog }, mx2: at("mx2") },
        },
      },
    },
  };
}
