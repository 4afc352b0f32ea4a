/** What an attacker does to a fleet, and how it is seen what became of it. */
import assert from "node:assert/strict";
import { eventually } from "../harness/eventually.ts";
import type { Guest } from "../harness/guests.ts";
import type { Outcome } from "../harness/mail-client.ts";
import type { DeployedFleet } from "./deployed-fleet.ts";
import { USER } from "./mail-host.ts";

export interface Attacks {
  /** An address that the attacker has not used yet. */
  newAddress(): Promise<string>;
  /** One wrong password on each connection, host after host, over IMAP. */
  guess(from: string, count: number, hosts?: readonly Guest[]): Promise<void>;
  /** Goes on guessing, on every host, until it is stopped: then it is how many wrong passwords were sent. */
  keepGuessing(from: string): () => Promise<number>;
  connects(from: string, guest: Guest): Promise<boolean>;
  /** Whether somebody with the right password gets in. */
  logsIn(guest: Guest): Promise<boolean>;
  untilBanned(from: string, hosts?: readonly Guest[]): Promise<unknown>;
  /** Waits until the record has so many failures of an address, no more and no less. */
  untilRecorded(from: string, attempts: number): Promise<unknown>;
}

const PORT = 143;
const FIRST_NUMBER = 101;

export function createAttacks(fleet: DeployedFleet): Attacks {
  const { attacker, client, mailHosts } = fleet;
  let number = FIRST_NUMBER;
  const at = (guest: Guest) => ({ host: guest.namespace.address4, port: PORT });
  const connects = (from: string, guest: Guest) => attacker.connects({ ...at(guest), from });
  return {
    connects,
    async newAddress() {
      const address = `10.77.0.${number}`;
      number += 1;
      await fleet.attackerNamespace.addAddress(address);
      return address;
    },
    async guess(from, count, hosts = mailHosts) {
      for (let attempt = 0; attempt < count; attempt += 1) {
        const guest: Guest = hosts[attempt % hosts.length]!;
        const login = { ...at(guest), user: USER.name, passwords: [`guess-${attempt}`], from };
        assert.deepEqual(await attacker.logIn(login), { opened: true, accepted: false });
      }
    },
    keepGuessing(from) {
      let attempts = 0;
      const over = new AbortController();
      const attack = (async (): Promise<void> => {
        while (!over.signal.aborted) {
          for (const host of mailHosts) {
            const login = { ...at(host), user: USER.name, passwords: ["guess"], from };
            const outcome: Outcome = await attacker.logIn(login);
            if (outcome.opened) attempts += 1;
          }
        }
      })();
      attack.catch(() => {}); // it is awaited below
      return async () => {
        over.abort();
        await attack;
        return attempts;
      };
    },
    async logsIn(guest) {
      const login = { ...at(guest), user: USER.name, passwords: [USER.password] };
      return (await client.logIn(login)).accepted;
    },
    untilBanned: (from, hosts = mailHosts) =>
      eventually(
        `${from} is banned on ${hosts.map(({ name }) => name).join(", ")}`,
        async () => {
          // A Dovecot that is busy leaves connections waiting, too.
          const { bans } = await fleet.ask<{ bans: { address: string }[] }>("ban", "list");
          if (!bans.some(({ address }) => address === from)) return false;
          const opened = await Promise.all(hosts.map((host) => connects(from, host)));
          return opened.every((each) => !each);
        },
        60,
      ),
    untilRecorded: (from, attempts) =>
      eventually(
        `all ${attempts} failures are on record, once`,
        async () => {
          const list = ["failure", "list", "--address", from, "--limit", "100000"];
          const { failures } = await fleet.ask<{ failures: { attempts: number }[] }>(...list);
          const recorded = failures.reduce((sum, failure) => sum + failure.attempts, 0);
          assert.equal(recorded, attempts);
          return true;
        },
        60,
      ),
  };
}
