/** What the answers are made from; see coordinator.ts for where it comes from. */
import type { Address } from "../../wire/address.ts";
import type { Jail } from "../../wire/settings.ts";
import type { Log } from "../../daemon/log.ts";
import type { Expiry } from "../../nats/credential-expiry.ts";
import type { BanStore } from "../ban-store.ts";
import type { FleetStatus } from "../fleet-status.ts";
import type { Clock } from "../clock.ts";
import type { History } from "../history/history.ts";
import type { Hosts } from "../hosts.ts";
import type { Lease } from "../lease.ts";
import type { MissedOffences } from "../missed-offences.ts";
import type { Settings } from "../settings.ts";
import type { Streams } from "../streams.ts";
import { ApiError } from "./server.ts";

export interface ApiContext {
  id: string;
  version: string;
  startedAt: number;
  jails: readonly Jail[];
  bans: BanStore;
  settings: Settings;
  hosts: Hosts;
  history: History;
  streams: Streams;
  lease: Pick<Lease, "holder" | "trouble">;
  clock: Clock;
  expiry: Pick<Expiry, "warnings">;
  missed: MissedOffences;
  fleet: FleetStatus;
  counters: { readonly failures: number; readonly undecodable: number };
  now: () => number;
  newId: () => string;
  log: Log;
}

export function jailNamed({ jails }: Pick<ApiContext, "jails">, name: string): Jail {
  const jail = jails.find((candidate) => candidate.name === name);
  if (jail) return jail;
  const known = jails.map((candidate) => candidate.name).join(", ");
  throw new ApiError(404, `jail "${name}": there is no such jail, expected ${known}`);
}

/** The longest reason that a reply carries. */
const MAX_STALE = 500;

/** Answers from the history; when it cannot be reached, `fallback` and why it is stale. */
export async function fromHistory<T>(
  ask: () => Promise<T>,
  fallback: T,
): Promise<{ value: T; stale: string | null }> {
  try {
    return { value: await ask(), stale: null };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { value: fallback, stale: `PostgreSQL cannot be asked: ${reason}`.slice(0, MAX_STALE) };
  }
}

/** Why an answer of the history may lack what is newest; null: it does not. */
export function staleRecord({ history }: Pick<ApiContext, "history">): string | null {
  const reason = history.stalled();
  return reason === undefined
    ? null
    : `PostgreSQL records nothing now: ${reason}`.slice(0, MAX_STALE);
}

/** "198.51.100.7 in jail dovecot". */
export function nameBan(address: Address, jail: string | undefined): string {
  return jail === undefined ? address : `${address} in jail ${jail}`;
}
