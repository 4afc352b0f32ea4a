/**
 * Two agents that call themselves by one host's name: a machine that was cloned with its
 * configuration, say. Both would be taken for one, and each for a copy of what the other read.
 *
 * An agent that starts anew takes its predecessor's place at once. Only when the predecessor is
 * heard again, so both are alive, the one that started later is refused; until then nobody can
 * tell a second agent from a restarted one.
 */
import { HOST_SILENT_AFTER_MS, type HostStatus } from "../../wire/status.ts";

export interface DuplicateAgent {
  /** The status of the one that is refused, as it was last heard. */
  status: HostStatus;
  /** By our clock, epoch milliseconds. */
  seenAt: number;
}

export interface DuplicateAgents {
  /** Takes a status; false: it is of an agent whose word does not count for its host. */
  hear(status: HostStatus, at: number): boolean;
  /** Those that are refused and still heard, by host. */
  refused(now: number): ReadonlyMap<string, readonly DuplicateAgent[]>;
}

interface Instance {
  status: HostStatus;
  firstHeardAt: number;
  seenAt: number;
  /** When it started, by our clock: its own may be years off. */
  startedAt: number;
}

/** What a dead agent had said last may arrive this late. */
const ECHO_MS = 1_000;

export function createDuplicateAgents(): DuplicateAgents {
  const places = new Map<string, HostPlace>();
  return {
    hear(status, at) {
      const place = places.get(status.host);
      if (place) return place.hear(status, at);
      places.set(status.host, new HostPlace(heardNow(status, at, undefined)));
      return true;
    },

    refused(now) {
      const all = new Map<string, DuplicateAgent[]>();
      for (const [host, place] of places) {
        const refused = place.refused(now);
        if (refused.length > 0) all.set(host, refused);
      }
      return all;
    },
  };
}

/** The place of one host, which one instance of its agent holds. */
class HostPlace {
  #holder: Instance;
  /** The instance that the present one has followed. */
  #before: Instance | undefined;
  readonly #refused = new Map<string, Instance>();

  constructor(holder: Instance) {
    this.#holder = holder;
  }

  /** false: the word of this instance does not count. */
  hear(status: HostStatus, at: number): boolean {
    this.#tidy(at);
    const { instance } = status;
    if (instance === this.#holder.status.instance) {
      this.#holder = heardNow(status, at, this.#holder);
      return true;
    }
    const known = this.#refused.get(instance);
    if (known && at - this.#holder.seenAt < HOST_SILENT_AFTER_MS) {
      this.#refused.set(instance, heardNow(status, at, known));
      return false;
    }
    if (this.#before?.status.instance === instance) {
      if (at - this.#holder.firstHeardAt < ECHO_MS) return false;
      this.#settle(heardNow(status, at, this.#before), this.#holder);
      return this.#holder.status.instance === instance;
    }
    this.#refused.delete(instance);
    this.#before = this.#holder;
    this.#holder = heardNow(status, at, undefined);
    return true;
  }

  /** Those that are refused and still heard. */
  refused(now: number): DuplicateAgent[] {
    this.#tidy(now);
    return [...this.#refused.values()];
  }

  /** Forgets those that have not been heard for long. */
  #tidy(now: number): void {
    for (const [instance, { seenAt }] of this.#refused) {
      if (now - seenAt >= HOST_SILENT_AFTER_MS) this.#refused.delete(instance);
    }
  }

  /** Both are alive: the one that started earlier has the place. */
  #settle(one: Instance, other: Instance): void {
    const [earlier, later] = isEarlier(one, other) ? [one, other] : [other, one];
    this.#holder = earlier;
    this.#before = undefined;
    this.#refused.set(later.status.instance, later);
  }
}

/** `known` is the same instance as it was heard before. */
function heardNow(status: HostStatus, at: number, known: Instance | undefined): Instance {
  const firstHeardAt = known?.firstHeardAt ?? at;
  const startedAt = status.startedAt + (at - status.sentAt);
  return { status, firstHeardAt, seenAt: at, startedAt };
}

function isEarlier(one: Instance, other: Instance): boolean {
  if (one.startedAt !== other.startedAt) return one.startedAt < other.startedAt;
  return one.status.instance < other.status.instance;
}
