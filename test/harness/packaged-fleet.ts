/**
 * Two machines to install Debian packages on, with what they need around them: mx1 (Debian 12) for
 * an agent, centre (Debian 13) for everything; NATS and PostgreSQL, an attacker and a bystander.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { starting } from "../../services/process/release.ts";
import { startNatsServer } from "../../services/standalone/nats-server.ts";
import { postgresUrl, startPostgres } from "../../services/standalone/postgres.ts";
import { ensureArtifacts } from "./artifacts.ts";
import { createGuests, type Guest } from "./guests.ts";
import { startMailClient, type MailClient } from "./mail-client.ts";
import { writeNextVersion } from "./next-version.ts";
import { restartable, type Restartable } from "./restartable.ts";

export interface PackagedFleet extends AsyncDisposable {
  /** Booted, with /srv/NAME.deb of fleetban-agent, and /srv/next.deb: its next version. */
  mx1: Guest;
  /** Booted, with /srv/NAME.deb of all three. */
  centre: Guest;
  nats: Restartable;
  natsUrl: string;
  /** As the centre reaches it. */
  databaseUrl: string;
  /** Has the addresses that it was to have. */
  attacker: MailClient;
  bystander: MailClient;
  [Symbol.asyncDispose](): Promise<void>;
}

const DATABASE = { port: 5432, password: "test" };
const NATS_PORT = 4222;

export async function createPackagedFleet(
  attackerAddresses: readonly string[],
): Promise<PackagedFleet> {
  const artifacts = ensureArtifacts();
  const [fleet, release] = await starting<Omit<PackagedFleet, keyof AsyncDisposable>>(
    async (onRelease) => {
      const guests = await createGuests({
        guests: { mx1: "bookworm", centre: "trixie" },
        others: ["attacker", "bystander"],
      });
      onRelease(() => guests[Symbol.asyncDispose]());
      const [mx1, centre] = [guests.guest("mx1"), guests.guest("centre")];
      const next = join(guests.folder, "next.deb");
      writeNextVersion(artifacts.debianPackage("fleetban-agent"), next);
      mx1.place("srv/next.deb", readFileSync(next));
      for (const [guest, name] of [
        [mx1, "fleetban-agent"],
        [centre, "fleetban-agent"],
        [centre, "fleetban-coordinator"],
        [centre, "fleetban"],
      ] as const) {
        guest.place(`srv/${name}.deb`, readFileSync(artifacts.debianPackage(name)));
      }
      await Promise.all([mx1.boot(), centre.boot()]);

      const { spawn, address4: address } = centre.namespace;
      const nats = await restartable((onOutput) => {
        const folder = join(guests.folder, "nats");
        return startNatsServer({ folder, address, port: NATS_PORT, spawn, onOutput });
      });
      onRelease(() => nats.stop());
      const postgres = await restartable((onOutput) => {
        const folder = join(guests.folder, "postgres");
        return startPostgres({ ...DATABASE, folder, settings: { fsync: "off" }, spawn, onOutput });
      }, "SIGQUIT");
      onRelease(() => postgres.stop());

      const network = guests.network.host("attacker");
      for (const each of attackerAddresses) await network.addAddress(each);
      const attacker = startMailClient(network.spawn);
      onRelease(() => attacker[Symbol.asyncDispose]());
      const bystander = startMailClient(guests.network.host("bystander").spawn);
      onRelease(() => bystander[Symbol.asyncDispose]());
      const natsUrl = `nats://${address}:${NATS_PORT}`;
      const databaseUrl = postgresUrl(DATABASE, "postgres");
      return { mx1, centre, nats, natsUrl, databaseUrl, attacker, bystander };
    },
  );
  return { ...fleet, [Symbol.asyncDispose]: release };
}
