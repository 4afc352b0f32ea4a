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

interface Place {
  holder: Instance;
  /** The instance that the present one has followed. */
  before: Instance | undefined;
  refused: Map<string, Instance>;
}

/** What a dead agent had said last may arrive this late. */
const ECHO_MS = 1_000;

export function createDuplicateAgents(): DuplicateAgents {
  const places = new Map<string, Place>();

  /** The place, without those that have not been heard for long. */
  function tidy(place: Place, now: number): void {
    for (const [instance, { seenAt }] of place.refused) {
      if (now - seenAt >= HOST_SILENT_AFTER_MS) place.refused.delete(instance);
    }
  }

  /** Both are alive: the one that started earlier has the place. */
  function settle(place: Place, one: Instance, other: Instance): void {
    const [earlier, later] = isEarlier(one, other) ? [one, other] : [other, one];
    place.holder = earlier;
    place.before = undefined;
    place.refused.set(later.status.instance, later);
  }

  return {
    hear(status, at) {
      const place = places.get(status.host);
      const heard = (known: Instance | undefined): Instance => ({
        status,
        firstHeardAt: known?.firstHeardAt ?? at,
        seenAt: at,
        startedAt: status.startedAt + (at - status.sentAt),
      });
      if (!place) {
        places.set(status.host, {
          holder: heard(undefined),
          before: undefined,
          refused: new Map(),
        });
        return true;
      }
      tidy(place, at);
      const { holder, before, refused } = place;
      if (status.instance === holder.status.instance) {
        place.holder = heard(holder);
        return true;
      }
      const known = refused.get(status.instance);
      if (known && at - holder.seenAt < HOST_SILENT_AFTER_MS) {
        refused.set(status.instance, heard(known));
        return false;
      }
      if (before?.status.instance === status.instance) {
        if (at - holder.firstHeardAt < ECHO_MS) return false;
        settle(place, heard(before), holder);
        return place.holder.status.instance === status.instance;
      }
      refused.delete(status.instance);
      place.before = holder;
      place.holder = heard(undefined);
      return true;
    },

    refused(now) {
      const all = new Map<string, DuplicateAgent[]>();
      for (const [host, place] of places) {
        tidy(place, now);
        if (place.refused.size > 0) all.set(host, [...place.refused.values()]);
      }
      return all;
    },
  };
}

function isEarlier(one: Instance, other: Instance): boolean {
  if (one.startedAt !== other.startedAt) return one.startedAt < other.startedAt;
  return one.status.instance < other.status.instance;
}
