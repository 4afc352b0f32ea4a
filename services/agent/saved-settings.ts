/**
 * The fleet's settings as this host knew them last, on disk: at a boot the rules stand before NATS
 * can be reached, and an agent that restarts while NATS is away counts for itself by them.
 *
 * jails.json has the jails. spared.json has what no automatic ban touches: the allowlist, and the
 * addresses of the fleet's own machines.
 */
import { join } from "node:path";
import * as z from "zod";
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
import type { FileHealth, StateHealth } from "./state/state-health.ts";

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
  state: StateHealth;
}

const DEFAULT_JAIL: Jail = {
  v: 1,
  name: "dovecot",
  ports: [110, 995, 143, 993],
  maxretry: 5,
  findtime: 1200,
  bantime: 1200,
};

/** For a host that has never heard of its coordinator. */
export const NO_SETTINGS: LastSettings = {
  jails: [DEFAULT_JAIL],
  allowed: [],
  machines: [],
  hasPolicy: false,
};

/** An allowlist may change a thousand times a minute, and is written as a whole. */
const EVERY_MS = 1_000;
/** The first time: the process may be killed at any moment. */
const AT_ONCE_MS = 0;
/** After it could not be written. */
const AGAIN_MS = 3_000;

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
  const hasPolicy = jails.length > 0;
  return { ...NO_SETTINGS, ...spared, ...(hasPolicy && { jails, hasPolicy }) };
}

export function createSavedSettings(options: SavedSettingsOptions): SavedSettings {
  const { stateDir, state } = options;
  const jails = keepWritten(state.of("jails"), () =>
    writeState(jailsIn(stateDir), z.encode(jailsSchema, [...options.jails()])),
  );
  const spared = keepWritten(state.of("spared"), () =>
    writeStateLines(sparedIn(stateDir), spell(options.allowed(), options.machines())),
  );
  return {
    jailsChanged: () => jails.changed(),
    sparedChanged: () => spared.changed(),
  };
}

/** Writes after each change, and again until that has succeeded. */
function keepWritten(health: FileHealth, write: () => Promise<void>): PacedWork {
  return new PacedWork(AT_ONCE_MS, async () => {
    try {
      await write();
    } catch (error) {
      health.failed(error);
      return { pauseMs: AGAIN_MS, isUnfinished: true };
    }
    health.written();
    return { pauseMs: EVERY_MS, isUnfinished: false };
  });
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
