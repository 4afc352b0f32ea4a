/** The fleet's hosts as their own words tell: who is up, and how far each has come. */
import type { Msg, NatsConnection, Subscription } from "@nats-io/nats-core";
import type { Log } from "../../process/log.ts";
import { createRateLimit } from "../../process/rate-limit.ts";
import { WireError } from "../../wire/codec.ts";
import { decodeHostStatus, HOST_SILENT_AFTER_MS, type HostStatus } from "../../wire/status.ts";
import { STATUS_SUBJECTS } from "../../wire/subjects.ts";
import { SortedList } from "../buckets/sorted-list.ts";
import { createAppliedRevisions, type AppliedAt } from "./applied-revisions.ts";
import { createDuplicateAgents, type DuplicateAgent } from "./duplicate-agents.ts";
import type { UndecodableMessages } from "./undecodable-messages.ts";
import { compareHosts } from "./host-order.ts";

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

export interface HostsOptions {
  connection: NatsConnection;
  now: () => number;
  log: Log;
  onStatus?: (status: HostStatus, seenAt: number) => void;
  onUndecodable?: UndecodableMessages["note"];
}

export class Hosts {
  readonly #options: HostsOptions;
  readonly #hosts = new Map<string, Host>();
  /** Of the hosts, in the order in which they are shown. */
  readonly #names = new SortedList<string>((a, b) => compareHosts(a, b) < 0);
  readonly #waiting = new Set<(status: HostStatus) => void>();
  readonly #duplicateAgents = createDuplicateAgents();
  readonly #appliedRevisions = createAppliedRevisions();
  readonly #mayComplain: (key: string) => boolean;
  readonly #subscription: Subscription;

  constructor(options: HostsOptions) {
    this.#options = options;
    this.#mayComplain = createRateLimit(60_000, options.now);
    this.#subscription = options.connection.subscribe(STATUS_SUBJECTS, {
      callback: (error, message) => {
        // An error says that the subscription has ended with its connection.
        if (!error) this.#hear(message);
      },
    });
  }

  list(): Host[] {
    const names = [...this.#names.behind(undefined)].flat();
    return names.flatMap((name) => this.#hosts.get(name) ?? []);
  }

  /** undefined: it has not reported since the start. */
  get(host: string): Host | undefined {
    return this.#hosts.get(host);
  }

  isUp({ seenAt }: Host): boolean {
    return this.#options.now() - seenAt < HOST_SILENT_AFTER_MS;
  }

  /**
   * Waits until every live host has applied the bans bucket that was made at `created` up to
   * `revision`, at most `patience` milliseconds; `since` is when that was written (performance.now).
   */
  async untilApplied(
    { created, revision }: { created: string | null; revision: number },
    since: number,
    patience: number,
  ): Promise<Progress> {
    const hosts = [...this.#hosts.values()];
    const up = hosts.filter((host) => this.isUp(host));
    const down = hosts.filter((host) => !this.isUp(host));
    const missing = new Set(up.map(({ status }) => status.host));
    const applied: Progress["applied"] = [];
    const note = (status: HostStatus) => {
      const hasApplied = status.bansCreated === created && status.revision >= revision;
      if (!hasApplied || !missing.delete(status.host)) return;
      applied.push({ host: status.host, ms: performance.now() - since });
    };
    for (const { status } of up) note(status);
    await this.#untilEmpty(missing, note, patience);
    return {
      applied,
      missing: [...missing].sort(compareHosts),
      down: down.map(({ status }) => status.host).sort(compareHosts),
    };
  }

  /**
   * Waits until each of these hosts was heard since the start, at most `patience` milliseconds;
   * resolves to those that were not.
   */
  async untilHeard(names: Iterable<string>, patience: number): Promise<string[]> {
    const unheard = new Set([...names].filter((host) => !this.#hosts.has(host)));
    await this.#untilEmpty(unheard, ({ host }) => unheard.delete(host), patience);
    return [...unheard].sort(compareHosts);
  }

  /** When the host had applied the bans bucket that was made at `created` up to `revision`. */
  appliedAt(host: string, target: { created: string | null; revision: number }): AppliedAt {
    return this.#appliedRevisions.find(host, target);
  }

  /** Milliseconds by which the host's clock is ahead of this one's, as its statuses show. */
  aheadMs(host: string): number {
    return this.#appliedRevisions.aheadMs(host);
  }

  /** As if it had never been heard; when it is heard again it is back. */
  forget(host: string): void {
    this.#hosts.delete(host);
    this.#names.delete(host);
    this.#appliedRevisions.forget(host);
  }

  /** Agents that are refused, for another has their host's name, by host. */
  refused(): ReadonlyMap<string, readonly DuplicateAgent[]> {
    return this.#duplicateAgents.refused(this.#options.now());
  }

  stop(): void {
    this.#subscription.unsubscribe();
  }

  #hear({ data, subject }: Msg): void {
    const { now, log, onStatus, onUndecodable } = this.#options;
    try {
      const status = decodeHostStatus(data, subject);
      if (!this.#duplicateAgents.hear(status, now())) return;
      this.#hosts.set(status.host, { status, seenAt: now() });
      this.#names.add(status.host);
      this.#appliedRevisions.note(status, now());
      for (const listen of this.#waiting) listen(status);
      onStatus?.(status, now());
    } catch (reason) {
      if (!(reason instanceof WireError)) throw reason;
      onUndecodable?.({ subject, what: "status" }, reason.message);
      if (!this.#mayComplain("status")) return;
      log.warn({ subject, reason: reason.message }, "status cannot be decoded");
    }
  }

  /** Gives every status to `note`, which takes hosts out of `missing`, for `patience` ms at most. */
  #untilEmpty(
    missing: ReadonlySet<string>,
    note: (status: HostStatus) => void,
    patience: number,
  ): Promise<void> {
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        this.#waiting.delete(listen);
        resolve();
      };
      const listen = (status: HostStatus) => {
        note(status);
        if (missing.size === 0) finish();
      };
      const timer = setTimeout(finish, patience);
      this.#waiting.add(listen);
      if (missing.size === 0) finish();
    });
  }
}
