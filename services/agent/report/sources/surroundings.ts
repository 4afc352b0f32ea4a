/**
 * What around a source may keep failures from being counted. Looking at it costs something, so it
 * is looked at now and then, and not with every status.
 */
import { hasUnit } from "../../../process/unit-files.ts";
import type { Jail } from "../../../wire/settings.ts";
import type { SourceConfig } from "../../agent-config.ts";
import { journalTrouble } from "./journal-access.ts";
import { findListeningPort } from "./listening-port.ts";

export interface Surroundings {
  /** Looks again where it is time to. */
  look(): void;
  /** The unit that the source names and that this machine does not have. */
  missingUnit(): string | undefined;
  /** Why nothing of the journal can be read, and the remedy. */
  journalTrouble(): string | undefined;
  /** The source has had no line for long, though a server listens on this port of its jail. */
  quietPort(): number | undefined;
}

export interface SurroundingsOptions {
  config: SourceConfig;
  /** The source's jail; undefined: not known yet. */
  jail: () => Jail | undefined;
  /** When the last line was read, or when the agent began to wait for one. */
  quietSince: () => number;
  now: () => number;
}

const EVERY_MS = 30_000;
/** Even a small mail host has a line within that. */
const QUIET_MS = 3_600_000;
/** What a jail that closes all ports is most likely about. */
const MAIL_PORTS = [143, 993, 110, 995, 587, 465, 4190, 25];

export function createSurroundings(options: SurroundingsOptions): Surroundings {
  const { config, jail, quietSince, now } = options;
  const { path, unit, directory } = config;
  let lookedAt = -Infinity;
  let missingUnit: string | undefined;
  let trouble: string | undefined;
  let quietPort: number | undefined;

  return {
    look() {
      if (Math.abs(now() - lookedAt) < EVERY_MS) return;
      lookedAt = now();
      const isOfJournal = path === undefined;
      trouble = isOfJournal ? journalTrouble(directory) : undefined;
      const isOwn = unit !== undefined && directory === undefined;
      missingUnit = isOwn && hasUnit(unit) === false ? unit : undefined;
      const isQuiet = now() - quietSince() >= QUIET_MS;
      quietPort = isQuiet ? findListeningPort(portsOf(jail())) : undefined;
    },
    missingUnit: () => missingUnit,
    journalTrouble: () => trouble,
    quietPort: () => quietPort,
  };
}

function portsOf(jail: Jail | undefined): readonly number[] {
  return jail && jail.ports.length > 0 ? jail.ports : MAIL_PORTS;
}
