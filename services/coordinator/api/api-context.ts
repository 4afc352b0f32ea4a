/** What the answers are made from; see coordinator.ts for where it comes from. */
import type { Address } from "../../wire/address.ts";
import type { Jail } from "../../wire/settings.ts";
import type { Log } from "../../process/log.ts";
import type { Expiry } from "../../nats/credential-expiry.ts";
import type { BanStore } from "../buckets/ban-store.ts";
import type { LiveFeed } from "../decide/live-feed.ts";
import type { Rates } from "../decide/rates.ts";
import type { DeciderCounters } from "../decide/decider.ts";
import type { Drills } from "../hosts/drills.ts";
import type { BrokenHosts } from "../hosts/broken-logins.ts";
import type { FleetStatus } from "../hosts/fleet-status.ts";
import type { Clock } from "../hosts/clock-check.ts";
import type { History } from "../history/history.ts";
import type { Hosts } from "../hosts/hosts.ts";
import type { Lease } from "../buckets/lease.ts";
import type { KnownGood } from "../decide/known-good.ts";
import type { JailPauses } from "../../policy/jail-pause.ts";
import type { JailSettings } from "../buckets/jail-settings.ts";
import type { MissedOffences } from "../decide/missed-offences.ts";
import type { PolicyReload } from "../decide/policy-reload.ts";
import type { SparedOffences } from "../decide/spared-offences.ts";
import type { OwnMachines } from "../hosts/own-machines.ts";
import type { Quarantines } from "../buckets/quarantines.ts";
import type { Settings } from "../buckets/settings-store.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Notifier } from "../notify/notifier.ts";
import type { LookUpInDatabases } from "../notify/whois/databases.ts";
import type { Streams } from "../upkeep/ensure-streams.ts";
import type { NewChange } from "../../policy/ban-memory.ts";
import { ApiError } from "./api-server.ts";
import type { NatsTimes } from "./traces.ts";

export interface ApiContext {
  id: string;
  version: string;
  startedAt: number;
  /** Of the policy in use. */
  jails: () => readonly Jail[];
  policyVersion: () => string;
  bans: BanStore;
  settings: Settings;
  hosts: Hosts;
  history: History;
  streams: Streams;
  lease: Pick<Lease, "holder" | "trouble">;
  clock: Clock;
  expiry: Pick<Expiry, "warnings">;
  missed: MissedOffences;
  spared: Pick<SparedOffences, "counts" | "isSpared">;
  machines: OwnMachines;
  brokenHosts: Pick<BrokenHosts, "forgetHost">;
  quarantines: Quarantines;
  fleet: FleetStatus;
  knownGood: Pick<KnownGood, "hasLoggedIn" | "loginsOf" | "isFollowing">;
  natsTimes: NatsTimes;
  feed: Pick<LiveFeed, "after">;
  rates: Pick<Rates, "lastHour">;
  /** This coordinator has not read failures that were stored before. */
  failuresKnownSince: number;
  drills: Pick<Drills, "follow">;
  metrics: Pick<Metrics, "rows">;
  reload: Pick<PolicyReload, "reload" | "apply" | "config" | "policy">;
  jailSettings: Pick<JailSettings, "list">;
  pauses: Pick<JailPauses, "of">;
  notifier: Pick<Notifier, "sinks" | "states">;
  /** What the operator's databases say of an address; undefined: there are none. */
  lookUp?: LookUpInDatabases | undefined;
  counters: Pick<DeciderCounters, "failures" | "undecodable">;
  now: () => number;
  newId: () => string;
  newChange: NewChange;
  log: Log;
}

export function jailNamed({ jails }: Pick<ApiContext, "jails">, name: string): Jail {
  const jail = jails().find((candidate) => candidate.name === name);
  if (jail) return jail;
  const known = jails()
    .map((candidate) => candidate.name)
    .join(", ");
  throw new ApiError(404, `jail "${name}": there is no such jail, expected ${known}`);
}

/** "198.51.100.7 in jail dovecot". */
export function nameBan(address: Address, jail: string | undefined): string {
  return jail === undefined ? address : `${address} in jail ${jail}`;
}
