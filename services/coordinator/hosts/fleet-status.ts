/**
 * What is to be said of the fleet at this moment: every host with its warnings, and the warnings
 * of NATS, PostgreSQL and this coordinator. `status`, `host list`, the log and the metrics use it.
 */
import type { HostRow } from "../../wire/api.ts";
import { periodAt, type JailPauses } from "../../policy/jail-pause.ts";
import type { JailPause } from "../../wire/settings.ts";
import { isDown } from "../../wire/host-state.ts";
import { STATUS_EVERY_MS } from "../../wire/status.ts";
import { warn, type Warning } from "../../wire/warnings.ts";
import type { Expiry } from "../../nats/credential-expiry.ts";
import type { BanStore } from "../buckets/ban-store.ts";
import type { Lease } from "../buckets/lease.ts";
import type { Quarantines } from "../buckets/quarantines.ts";
import type { Settings } from "../buckets/settings-store.ts";
import { warnOfIdle, type IdleSetting } from "../decide/applied-settings.ts";
import type { LeaderWatch } from "../decide/leader-watch.ts";
import type { MissedOffences } from "../decide/missed-offences.ts";
import type { History } from "../history/history.ts";
import { fromHistory } from "../history/stale-answers.ts";
import type { AllowedNames } from "../upkeep/allowed-names.ts";
import type { Streams } from "../upkeep/ensure-streams.ts";
import type { Clock } from "./clock-check.ts";
import type { DuplicateAgent } from "./duplicate-agents.ts";
import { heldByHost, warnOfHeld } from "./held-bans.ts";
import type { Host, Hosts } from "./hosts.ts";
import type { LateHosts } from "./late-hosts.ts";
import type { OwnMachines } from "./own-machines.ts";
import type { UndecodableMessages } from "./undecodable-messages.ts";

/**
 * Hosts that have reported since the start, and those that only the history knows, or the settings
 * bucket: this one just after the start alone, because it does not say when a host was heard last.
 */
export interface ListedHosts {
  /** By name; a row is made when it is called, because a page shows a few of many hosts. */
  rows: ReadonlyMap<string, () => HostRow>;
  /** Why the history could not be asked; null: it could. */
  stale: string | null;
}

export interface FleetParts {
  bans: BanStore;
  settings: Settings;
  hosts: Hosts;
  history: History;
  missed: MissedOffences;
  machines: Pick<OwnMachines, "hosts">;
  /** When this coordinator has started. */
  startedAt: number;
  quarantines: Pick<Quarantines, "of">;
  pauses: Pick<JailPauses, "list">;
  /** Settings of operators that do not fit the file of this coordinator. */
  idleSettings: () => readonly IdleSetting[];
  names: Pick<AllowedNames, "warnings">;
  now: () => number;
  streams: Streams;
  lease: Pick<Lease, "holder" | "trouble">;
  clock: Clock;
  expiry: Pick<Expiry, "warnings">;
  /** Streams of NATS that this coordinator cannot follow. */
  unread: { warnings(): Warning[] };
  /** Whether the coordinator that holds the lease decides. */
  leader: Pick<LeaderWatch, "warnings">;
  /** Hosts that do not put bans into force. */
  lateHosts: Pick<LateHosts, "warningOf">;
  /** Messages of hosts that cannot be decoded. */
  undecodable: Pick<UndecodableMessages, "warnings">;
  /** Where notifications go. */
  sinks: { warnings(): Warning[] };
  /** Whether successful logins are known. */
  knownGood: { warnings(): Warning[] };
  /** Coordinators whose changed policy is refused. */
  refused: { warnings(): Warning[] };
  /** Whether people can log in to the web page. */
  web: { warnings(): Warning[] };
}

/** Every host that is up has reported since the start, also one that no roll call reaches. */
const HEARD_AFTER_MS = STATUS_EVERY_MS + 2_000;

type Held = Parameters<typeof warnOfHeld>[0];

export class FleetStatus {
  readonly #parts: FleetParts;

  constructor(parts: FleetParts) {
    this.#parts = parts;
  }

  async listHosts(): Promise<ListedHosts> {
    const { bans, hosts, history, machines, now, startedAt } = this.#parts;
    const { value: recorded, stale } = await fromHistory(() => history.hosts(), []);
    const recordedNames = new Set(recorded.map(({ host }) => host));
    const refused = hosts.refused();
    const held = heldByHost(bans, now());
    const rows = new Map<string, () => HostRow>();
    for (const host of hosts.list()) {
      const name = host.status.host;
      // A silent host that the history does not know was removed through another coordinator.
      const isRemoved = stale === null && !hosts.isUp(host) && !recordedNames.has(name);
      if (isRemoved) continue;
      rows.set(name, () => this.#describeHost(host, refused.get(name) ?? [], held.get(name)));
    }
    const isAwaiting = now() - startedAt < HEARD_AFTER_MS;
    const unheard = recorded.map(({ host, lastSeenAt }): [string, number] => [host, lastSeenAt]);
    if (isAwaiting) unheard.push(...machines.hosts());
    for (const [host, lastSeenAt] of unheard) {
      if (rows.has(host)) continue;
      rows.set(host, () => this.#describeUnheard(host, { lastSeenAt, awaited: isAwaiting }));
    }
    return { rows, stale };
  }

  /** The rows of all hosts. */
  async hostRows(): Promise<HostRow[]> {
    return [...(await this.listHosts()).rows.values()].map((describe) => describe());
  }

  /** Every warning of the fleet; `lag`: messages that PostgreSQL does not have yet. */
  warnings(rows: readonly HostRow[], lag: number | undefined): Warning[] {
    const { bans, now } = this.#parts;
    const heard = new Set(rows.filter(({ status }) => status !== null).map(({ host }) => host));
    const unheard = [...heldByHost(bans, now())].filter(([host]) => !heard.has(host));
    return [
      ...centreWarnings(this.#parts, lag),
      ...unheard.map(([host, held]) => ofHost(host, warnOfHeld(held))),
      ...rows.flatMap(hostWarnings),
    ];
  }

  #describeHost(
    host: Host,
    duplicateAgents: readonly DuplicateAgent[],
    held: Held | undefined,
  ): HostRow {
    const { bans, hosts, clock, missed, quarantines, lateHosts } = this.#parts;
    const { status, seenAt } = host;
    const isUp = hosts.isUp(host);
    const late = isUp ? lateHosts.warningOf(status.host) : undefined;
    const quarantine = quarantines.of(status.host);
    return {
      ...{ host: status.host, quarantine, state: isUp ? "up" : "down" },
      lastSeenAt: seenAt,
      // Of a silent host nobody knows what its kernel has now.
      current: isUp && status.revision >= bans.revision() && status.bansCreated === bans.created(),
      clockSkew: status.sentAt - seenAt,
      missedOffences: missed.byHost().get(status.host) ?? 0,
      status: {
        ...status,
        warnings: [
          ...duplicateAgents.map((duplicate) => secondAgent(status.host, duplicate)),
          ...(late ? [late] : []),
          ...(isUp ? clock.hostWarnings(host) : []),
          ...(held ? [warnOfHeld(held)] : []),
          ...(quarantine ? [warn("quarantined", quarantine)] : []),
          ...missed.hostWarnings(status.host),
          ...status.warnings,
        ].slice(0, 20),
      },
    };
  }

  #describeUnheard(
    host: string,
    { lastSeenAt, awaited }: { lastSeenAt: number; awaited: boolean },
  ): HostRow {
    const quarantine = this.#parts.quarantines.of(host);
    return {
      ...{ host, state: "down", lastSeenAt, quarantine },
      ...{ current: false, clockSkew: 0, status: null, ...(awaited && { awaited }) },
    };
  }
}

function secondAgent(host: string, { status: { addresses } }: DuplicateAgent): Warning {
  const where = addresses.length > 0 ? addresses.slice(0, 8).join(", ") : "an unknown address";
  return warn("second-agent", { host, where });
}

/** What is wrong with NATS, PostgreSQL and the coordinators. */
function centreWarnings(parts: FleetParts, lag: number | undefined): Warning[] {
  const { bans, settings, history, missed, streams, lease, clock, expiry } = parts;
  const warnings: Warning[] = [];
  const waiting =
    lag === 1
      ? "1 message waits to be recorded"
      : `${lag ?? "an unknown number of"} messages wait to be recorded`;
  const full = lease.trouble();
  if (full !== undefined) warnings.push(warn("nats-stores-nothing", { reason: full }));
  else if (lease.holder() === null) warnings.push(warn("no-decider"));
  if (!history.reachable()) warnings.push(warn("postgres-away", { waiting }));
  const stalled = history.stalled();
  if (stalled !== undefined) warnings.push(warn("postgres-stalled", { reason: stalled, waiting }));
  if (settings.readyFor() !== bans.created()) warnings.push(warn("not-restored"));
  warnings.push(
    ...parts.names.warnings(),
    ...parts.unread.warnings(),
    ...parts.leader.warnings(),
    ...parts.undecodable.warnings(),
    ...missed.warnings(),
    ...clock.warnings(),
    ...expiry.warnings(),
    ...parts.sinks.warnings(),
    ...parts.knownGood.warnings(),
    ...parts.refused.warnings(),
    ...parts.web.warnings(),
    ...parts.idleSettings().map(warnOfIdle),
    ...parts.pauses.list().flatMap(([jail, pause]) => warnOfPause(jail, pause, parts.now())),
  );
  return [...warnings, ...streams.faults().map((fault) => warn("streams", { fault }))];
}

/** Where the jail is not paused any more, there is nothing to say. */
function warnOfPause(jail: string, pause: JailPause, now: number): Warning[] {
  const period = periodAt(pause, now);
  if (!period) return [];
  const { from: since, until } = period;
  return [warn("jail-paused", { jail, since, until, by: pause.by }, jail)];
}

/** What is wrong with one host, in words that name the host. */
const hostWarnings = (row: HostRow): Warning[] =>
  warningsOfRow(row).map((warning) => ofHost(row.host, warning));

/** The same in words that do not name it. */
export const warningsOfRow = (row: HostRow): Warning[] => [
  ...(isDown(row) ? [warn("host-down")] : []),
  ...(row.state === "up" && row.status?.firewall === "dry-run" ? [warn("dry-run")] : []),
  ...(row.status?.warnings ?? []),
];

function ofHost(host: string, warning: Warning): Warning {
  const subject = warning.subject === undefined ? host : `${host}/${warning.subject}`;
  const text = `host ${host}: ${warning.text}`.slice(0, 500);
  return { ...warning, subject: subject.slice(0, 64), text };
}
