/**
 * A coordinator that has just started has not heard any host, and an agent reports by itself only
 * every ten seconds. So the coordinator asks every agent for its status, in an entry of the settings
 * bucket, which all agents follow. It decides and answers after that: what began while no
 * coordinator was at work, such as a host's broken logins, is known before its failures are counted.
 *
 * A host that is down does not answer, and neither does an agent of an older version.
 */
import type { Log } from "../../process/log.ts";
import { reasonOf } from "../../process/reason.ts";
import { encodeRollCall } from "../../wire/settings.ts";
import { ROLL_CALL_KEY } from "../../wire/subjects.ts";
import type { Settings } from "../buckets/settings-store.ts";
import type { Hosts } from "./hosts.ts";
import type { OwnMachines } from "./own-machines.ts";

export interface RollCallOptions {
  /** Names this coordinator. */
  id: string;
  settings: Pick<Settings, "write">;
  /** Knows the fleet's hosts from the settings bucket. */
  machines: Pick<OwnMachines, "hosts">;
  hosts: Pick<Hosts, "untilHeard">;
  now: () => number;
  log: Log;
}

/** An agent answers within milliseconds, and a dead host must not keep the others' bans waiting. */
const ANSWER_WITHIN_MS = 1_000;

/** Resolves when every host of the fleet has answered, or has had the time to. */
export async function callRoll(options: RollCallOptions): Promise<void> {
  const { id, settings, machines, hosts, now, log } = options;
  try {
    await settings.write(ROLL_CALL_KEY, encodeRollCall({ v: 1, id, at: now() }), () => false);
  } catch (error) {
    log.warn({ reason: reasonOf(error) }, "cannot ask hosts for their status, waits for it");
    return;
  }
  const unheard = await hosts.untilHeard(machines.hosts().keys(), ANSWER_WITHIN_MS);
  if (unheard.length > 0)
    log.info({ unheard: unheard.slice(0, 20) }, "not heard of some hosts yet");
}
