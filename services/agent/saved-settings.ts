/**
 * The fleet's settings as this host knew them last, on disk: at a boot the rules stand before NATS
 * can be reached, and an agent that restarts while NATS is away counts for itself by them.
 *
 * jails.json has the jails. spared.json has what no automatic ban touches: the allowlist, and the
 * addresses of the fleet's own machines.
 */
import { join } from "node:path";
import * as z from "zod";
import type { Log } from "../process/log.ts";
import {
  allowed as allowedSchema,
  jail as jailSchema,
  machine as machineSchema,
  type Allowed,
  type Jail,
  type Machine,
} from "../wire/settings.ts";
import { PacedWork } from "./state/paced-work.ts";
import { readState, writeState, writeStateLines } from "./state/state-file.ts";

export interface LastSettings {
  /** fleetban's default jail where `hasPolicy` is false. */
  jails: readonly Jail[];
  allowed: readonly Allowed[];
  machines: readonly Machine[];
  /** Has this host ever read the fleet's jails? */
  hasPolicy: boolean;
}

export interface SavedSettings {
  /** The jails have changed. */
  jailsChanged(): void;
  /** The allowlist or a machine of the fleet has changed. */
  sparedChanged(): void;
}

export interface SavedSettingsOptions {
  stateDir: string;
  jails: () => Iterable<Jail>;
  allowed: () => Iterable<Allowed>;
  machines: () => Iterable<Machine>;
  log: Log;
}

/** fleetban's default jail, for a host that has never heard of its coordinator. */
const DEFAULT_JAIL: Jail = {
  v: 1,
  name: "dovecot",
  ports: [110, 995, 143, 993],
  maxretry: 5,
  findtime: 1200,
  bantime: 1200,
};

/** An allowlist may change a thousand times a minute, and is written as a whole. */
const SPARED_EVERY_MS = 1_000;
/** The first time: the process may be killed at any moment. */
const AT_ONCE_MS = 0;

const jailsIn = (stateDir: string) => join(stateDir, "jails.json");
const sparedIn = (stateDir: string) => join(stateDir, "spared.json");

const jailsSchema = z.array(jailSchema);
const sparedSchema = z.object({
  allowed: z.array(allowedSchema),
  machines: z.array(machineSchema),
});

export async function readLastSettings(stateDir: string): Promise<LastSettings> {
  const jails = (await readState(jailsIn(stateDir), jailsSchema)) ?? [];
  const spared = await readState(sparedIn(stateDir), sparedSchema);
  const { allowed, machines } = spared ?? { allowed: [], machines: [] };
  const hasPolicy = jails.length > 0;
  return { jails: hasPolicy ? jails : [DEFAULT_JAIL], allowed, machines, hasPolicy };
}

export function createSavedSettings(options: SavedSettingsOptions): SavedSettings {
  const { stateDir, log } = options;
  const complain = (error: unknown) => {
    log.error({ err: error }, "settings cannot be kept on disk");
  };

  const pacedSpared = new PacedWork(AT_ONCE_MS, async () => {
    const spared = spell(options.allowed(), options.machines());
    await writeStateLines(sparedIn(stateDir), spared).catch(complain);
    return { pauseMs: SPARED_EVERY_MS, isUnfinished: false };
  });

  return {
    jailsChanged() {
      const jails = z.encode(jailsSchema, [...options.jails()]);
      writeState(jailsIn(stateDir), jails).catch(complain);
    },
    sparedChanged: () => pacedSpared.changed(),
  };
}

/** The lines of spared.json. New bans have their turn between them: an allowlist may be long. */
function* spell(allowed: Iterable<Allowed>, machines: Iterable<Machine>): Iterable<string> {
  yield '{"allowed":[';
  yield* spellItems(allowed, allowedSchema);
  yield '],"machines":[';
  yield* spellItems(machines, machineSchema);
  yield "]}";
}

function* spellItems<T extends z.ZodType>(
  items: Iterable<z.output<T>>,
  schema: T,
): Iterable<string> {
  let separator = "";
  for (const item of items) {
    yield `${separator}${JSON.stringify(z.encode(schema, item))}`;
    separator = ",";
  }
}
