/**
 * A fleet before its first deployment: machines with nothing of fleetban, an administrator with the
 * packages and Ansible, an attacker, and a client that does nothing wrong.
 */
import { join } from "node:path";
import { starting } from "../../services/process/release.ts";
import type { Suite } from "../harness/debian-image.ts";
import { createGuests, type Guest, type Guests } from "../harness/guests.ts";
import { startMailClient, type MailClient } from "../harness/mail-client.ts";
import type { Namespace } from "../harness/netns.ts";
import { createAnsible, type Ansible } from "./ansible.ts";
import { placeDovecot } from "./mail-host.ts";
import { makePackages, type Packages } from "./packages.ts";
import { runProgram, type Finished } from "./program.ts";

export interface FleetPlan {
  /** All machines; what is no mail host has no Dovecot. */
  guests: Readonly<Record<string, Suite>>;
  mailHosts: readonly string[];
  /** Those that read their mail.log; the others read what the role reads by itself. */
  mailLogs?: readonly string[];
  nats: readonly string[];
  coordinators: readonly string[];
  /** Places more into a guest that has not booted yet. */
  place?: (guest: Guest) => void;
}

export interface DeployedFleet extends AsyncDisposable {
  guests: Guests;
  mailHosts: readonly Guest[];
  ansible: Ansible;
  attacker: MailClient;
  client: MailClient;
  attackerNamespace: Namespace;
  /** The administrator's folder of keys. */
  keys: string;
  packages: Packages;
  /** The fleetban program, run by the administrator. */
  cli(...args: readonly string[]): Promise<Finished>;
  /** Runs it with --json and returns what it printed. */
  ask<T>(...args: readonly string[]): Promise<T>;
}

export async function createDeployedFleet(plan: FleetPlan): Promise<DeployedFleet> {
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const packages = makePackages();
  const [fleet, release] = await starting<Omit<DeployedFleet, keyof AsyncDisposable>>(
    async (onRelease) => {
      const guests = await createGuests({
        guests: plan.guests,
        others: ["admin", "attacker", "client"],
        say,
      });
      onRelease(() => guests[Symbol.asyncDispose]());
      const mailHosts = plan.mailHosts.map((name) => guests.guest(name));
      for (const guest of guests.guests) {
        if (mailHosts.includes(guest)) placeDovecot(guest);
        else guest.place(WITHOUT_DOVECOT.path, WITHOUT_DOVECOT.text);
        plan.place?.(guest);
      }
      await Promise.all(guests.guests.map((guest) => guest.boot()));

      const admin = guests.network.host("admin");
      const keys = join(guests.folder, "fleetban-keys");
      const program = join(packages.folder, "fleetban");
      const vars = {
        ansible_user: "admin",
        ansible_python_interpreter: "/usr/bin/python3",
        fleetban_cli: program,
        fleetban_keys: keys,
        fleetban_packages: packages.folder,
      };
      const inventory = inventoryOf(plan, guests, vars);
      const ansible = await createAnsible({ guests, admin, inventory });
      const attackerNamespace = guests.network.host("attacker");
      const attacker = startMailClient(attackerNamespace.spawn);
      onRelease(() => attacker[Symbol.asyncDispose]());
      const client = startMailClient(guests.network.host("client").spawn);
      onRelease(() => client[Symbol.asyncDispose]());
      const cli = (...args: readonly string[]) =>
        runProgram(admin.spawn, program, args, { env: { ...process.env, FLEETBAN_HOME: keys } });
      return {
        ...{ guests, mailHosts, ansible, attacker, client, attackerNamespace },
        ...{ keys, packages, cli },
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

const WITHOUT_DOVECOT = {
  path: "etc/systemd/system/dovecot.service.d/off.conf",
  text: "[Unit]\nConditionPathExists=/none\n",
};

const MAIL_LOG = [{ name: "mail-log", path: "/var/log/mail.log" }];

function inventoryOf(plan: FleetPlan, guests: Guests, vars: Record<string, unknown>): unknown {
  const hosts = (names: readonly string[], more: (name: string) => object = () => ({})) => {
    const each = names.map((name) => {
      return [name, { ansible_host: guests.guest(name).namespace.address4, ...more(name) }];
    });
    return { hosts: Object.fromEntries(each) as unknown };
  };
  return {
    all: {
      vars,
      children: {
        fleetban_nats: hosts(plan.nats),
        fleetban_coordinators: {
          ...hosts(plan.coordinators),
          // No ban is to run out while the tests go on.
          vars: { fleetban_coordinator_config: { jails: { dovecot: { bantime: "6h" } } } },
        },
        fleetban_agents: hosts(plan.mailHosts, (name) =>
          plan.mailLogs?.includes(name) ? { fleetban_agent_sources: MAIL_LOG } : {},
        ),
      },
    },
  };
}
