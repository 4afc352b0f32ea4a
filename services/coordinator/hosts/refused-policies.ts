/**
 * Coordinators that have refused their changed coordinator.yaml. Each of them writes that into the
 * settings bucket, so that every coordinator warns of it, whichever one is asked.
 *
 * A coordinator writes its entry again every minute: the entry of one that was killed is old soon,
 * and counts no more.
 */
import type { Log } from "../../process/log.ts";
import { reasonOf } from "../../process/reason.ts";
import { createComplaint } from "../../process/retry.ts";
import { encodeRefusedPolicy, type RefusedPolicy, type Setting } from "../../wire/settings.ts";
import { coordinatorOfRefusedPolicyKey, refusedPolicyKey } from "../../wire/subjects.ts";
import { warn, type Warning } from "../../wire/warnings.ts";
import type { Settings } from "../buckets/settings-store.ts";

export interface RefusedPolicies {
  /** This coordinator's file has these faults; none: it is in use. */
  noteOwn(faults: readonly string[]): void;
  /** The settings bucket has this under the key now; undefined: nothing. */
  noteSetting(key: string, setting: Setting | undefined): void;
  /** Writes what this coordinator has to say; to be called every minute. */
  publish(): Promise<void>;
  /** This coordinator ends. */
  withdraw(): Promise<void>;
  warnings(): Warning[];
}

export interface RefusedPoliciesOptions {
  /** Names this coordinator. */
  id: string;
  settings: () => Pick<Settings, "write" | "erase">;
  now: () => number;
  log: Log;
}

export const PUBLISH_EVERY_MS = 60_000;
/** Two coordinators' clocks may differ, and NATS may be away for a moment. */
const STALE_AFTER_MS = 10 * PUBLISH_EVERY_MS;
const LONGEST_REASON = 256;

export function createRefusedPolicies(options: RefusedPoliciesOptions): RefusedPolicies {
  const { id, settings, now, log } = options;
  const stored = new Map<string, RefusedPolicy>();
  /** Why this coordinator has refused its own file; undefined: it has not. */
  let own: string | undefined;
  const complaint = createComplaint((reason) => {
    log.warn({ reason }, "cannot report the refused policy to the other coordinators, will retry");
  });

  const isStale = ({ at }: RefusedPolicy) => at <= now() - STALE_AFTER_MS;

  async function write(): Promise<void> {
    for (const [coordinator, entry] of stored) {
      if (isStale(entry)) await settings().erase(refusedPolicyKey(coordinator));
    }
    const key = refusedPolicyKey(id);
    if (own === undefined) {
      if (stored.has(id)) await settings().erase(key);
      return;
    }
    const entry: RefusedPolicy = { v: 1, reason: own, at: now() };
    await settings().write(key, encodeRefusedPolicy(entry), () => false);
  }

  async function publish(): Promise<void> {
    try {
      await write();
      complaint.over();
    } catch (error) {
      complaint.failed(reasonOf(error));
    }
  }

  return {
    noteOwn([first, ...others]) {
      const more = others.length > 0 ? ` (and ${others.length} more)` : "";
      own = first === undefined ? undefined : shorten(first + more);
      void publish();
    },
    noteSetting(key, setting) {
      const coordinator = coordinatorOfRefusedPolicyKey(key);
      if (coordinator === undefined) return;
      if (setting?.type === "refused-policy") stored.set(coordinator, setting.refused);
      else stored.delete(coordinator);
    },
    publish,
    async withdraw() {
      own = undefined;
      await publish();
    },
    warnings() {
      const others = [...stored].filter(([name, entry]) => name !== id && !isStale(entry));
      const known = others.map(([coordinator, { reason }]) => [coordinator, reason] as const);
      const all = own === undefined ? known : [[id, own] as const, ...known];
      return all.map(([coordinator, reason]) =>
        warn("policy-refused", { coordinator, reason }, coordinator),
      );
    },
  };
}

const shorten = (text: string) =>
  text.length <= LONGEST_REASON ? text : `${text.slice(0, LONGEST_REASON - 1)}…`;
