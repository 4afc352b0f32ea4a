/** The fleet's hosts as their own words tell: who is up, and how far each has come. */
import type { NatsConnection } from "@nats-io/nats-core";
import type { Log } from "../../process/log.ts";
import { createRateLimit } from "../../process/rate-limit.ts";
import { WireError } from "../../wire/codec.ts";
import { decodeHostStatus, HOST_SILENT_AFTER_MS, type HostStatus } from "../../wire/status.ts";
import { STATUS_SUBJECTS } from "../../wire/subjects.ts";
import { createAppliedRevisions, type AppliedAt } from "./applied-revisions.ts";
import { createDuplicateAgents, type DuplicateAgent } from "./duplicate-agents.ts";

export interface Host {
  status: HostStatus;
  /** By our clock, epoch milliseconds. */
  seenAt: number;
}

/** How far a change has come; every host is in one of the three. */
export interface Progress {
  /** Hosts that applied it, with the milliseconds from the change to their report. */
  applied: { host: string; ms: number }[];
  /** Live hosts that did not report in time. */
  missing: string[];
  /** Hosts that were silent before. */
  down: string[];
}

export interface Hosts {
  list(): Host[];
  /** undefined: it has not reported since the start. */
  get(host: string): Host | undefined;
  isUp(host: Host): boolean;
  /**
   * Waits until every live host has applied the bans bucket that was made at `created` up to
   * `revision`, at most `patience` milliseconds; `since` is when that was written (performance.now).
   */
  untilApplied(
    { created, revision }: { created: string | null; revision: number },
    since: number,
    patience: number,
  ): Promise<Progress>;
  /**
   * Waits until each of these hosts was heard since the start, at most `patience` milliseconds;
   * resolves to those that were not.
   */
  untilHeard(names: Iterable<string>, patience: number): Promise<string[]>;
  /** Milliseconds by which the host's clock is ahead of this one's, as its statuses show. */
  aheadMs(host: string): number;
  /** When the host had applied the bans bucket that was made at `created` up to `revision`. */
  appliedAt(host: string, target: { created: string | null; revision: number }): AppliedAt;
  /** As if it had never been heard; when it is heard again it is back. */
  forget(host: string): void;
  /** Agents that are refused, for another has their host's name, by host. */
  refused(): ReadonlyMap<string, readonly DuplicateAgent[]>;
  stop(): void;
}

export interface HostsOptions {
  connection: NatsConnection;
  now: () => number;
  log: Log;
  onStatus?: (status: HostStatus, seenAt: number) => void;
}

export function followHosts({ connection, now, log, onStatus }: HostsOptions): Hosts {
  const hosts = new Map<string, Host>();
  const waiting = new Set<(status: HostStatus) => void>();
  const duplicateAgents = createDuplicateAgents();
  const appliedRevisions = createAppliedRevisions();
  const mayComplain = createRateLimit(60_000, now);

  const subscription = connection.subscribe(STATUS_SUBJECTS, {
    callback(error, message) {
      if (error) return; // the subscription has ended with its connection
      try {
        const status = decodeHostStatus(message.data, message.subject);
        if (!duplicateAgents.hear(status, now())) return;
        hosts.set(status.host, { status, seenAt: now() });
        appliedRevisions.note(status, now());
        for (const listen of waiting) listen(status);
        onStatus?.(status, now());
      } catch (reason) {
        if (!(reason instanceof WireError)) throw reason;
        if (!mayComplain("status")) return;
        log.warn({ subject: message.subject, reason: reason.message }, "status cannot be decoded");
      }
    },
  });

  /** Gives every status to `note`, which takes hosts out of `missing`, for `patience` ms at most. */
  function untilEmpty(
    missing: ReadonlySet<string>,
    note: (status: HostStatus) => void,
    patience: number,
  ): Promise<void> {
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        waiting.delete(listen);
        resolve();
      };
      const listen = (status: HostStatus) => {
        note(status);
        if (missing.size === 0) finish();
      };
      const timer = setTimeout(finish, patience);
      waiting.add(listen);
      if (missing.size === 0) finish();
    });
  }

  const isUp = ({ seenAt }: Host) => now() - seenAt < HOST_SILENT_AFTER_MS;

  return {
    list: () => [...hosts.values()].toSorted((a, b) => compare(a.status.host, b.status.host)),
    get: (host) => hosts.get(host),
    isUp,

    async untilApplied({ created, revision }, since, patience) {
      const up = [...hosts.values()].filter(isUp);
      const down = [...hosts.values()].filter((host) => !isUp(host));
      const missing = new Set(up.map(({ status }) => status.host));
      const applied: Progress["applied"] = [];
      const note = (status: HostStatus) => {
        const hasApplied = status.bansCreated === created && status.revision >= revision;
        if (!hasApplied || !missing.delete(status.host)) return;
        applied.push({ host: status.host, ms: performance.now() - since });
      };
      for (const { status } of up) note(status);
      await untilEmpty(missing, note, patience);
      return {
        applied,
        missing: [...missing].sort(compare),
        down: down.map(({ status }) => status.host).sort(compare),
      };
    },

    async untilHeard(names, patience) {
      const unheard = new Set([...names].filter((host) => !hosts.has(host)));
      await untilEmpty(unheard, ({ host }) => unheard.delete(host), patience);
      return [...unheard].sort(compare);
    },

    appliedAt: appliedRevisions.find,
    aheadMs: appliedRevisions.aheadMs,
    forget(host) {
      hosts.delete(host);
      appliedRevisions.forget(host);
    },
    refused: () => duplicateAgents.refused(now()),
    stop: () => subscription.unsubscribe(),
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
