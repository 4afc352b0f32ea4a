/**
 * A drill on this host: a login that must fail, at the server of this machine, so that Dovecot writes
 * a real line into its real log. Where no server listens here, for example because this host reads
 * the log of another machine, the agent appends a line to the log itself.
 *
 * A login from this machine comes from one of its own addresses, which nobody bans. So the failure
 * of the drill's user gets the drill's address in its place.
 */
import { randomBytes } from "node:crypto";
import type { Failure } from "../../detection/attempts/failure.ts";
import { createListeners } from "../../process/listeners.ts";
import type { Log } from "../../process/log.ts";
import { reasonOf } from "../../process/reason.ts";
import { DRILL_WITHIN_MS, type Drill, type DrillReport } from "../../wire/drill.ts";
import type { Jail } from "../../wire/settings.ts";
import type { SourceConfig } from "../agent-config.ts";
import { appendDrillLine } from "./drill-line.ts";
import { failToLogIn, NothingListens } from "./drill-login.ts";
import { isPattern } from "./sources/path-pattern.ts";

export interface Drills {
  begin(drill: Drill): void;
  /** Looks for the drill's failure among those of a jail, and gives it the drill's address. */
  mark(jail: string, failures: readonly Failure[]): void;
  /** How far the last drill has come; undefined: there is none. */
  report(): DrillReport | undefined;
  /** Calls `listener` when the drill has come further. */
  onProgress(listener: () => void): void;
}

export interface DrillsOptions {
  host: string;
  sources: readonly SourceConfig[];
  jails: () => readonly Jail[];
  ownAddresses: () => readonly string[];
  now: () => number;
  log: Log;
}

export function createDrills(options: DrillsOptions): Drills {
  const { now, log } = options;
  const progressed = createListeners<[]>();
  let current: { drill: Drill; begunAt: number; report: DrillReport } | undefined;

  const isOver = () => current === undefined || now() - current.begunAt > DRILL_WITHIN_MS;

  function progress(id: string, facts: Omit<DrillReport, "id">): void {
    if (current?.drill.id !== id) return;
    current.report = { ...current.report, ...facts };
    progressed.call();
  }

  async function attempt(drill: Drill): Promise<void> {
    const { id } = drill;
    log.info({ by: drill.by, jail: drill.jail }, "a drill begins");
    try {
      await attemptOnce(options, drill, (how) => progress(id, { how, attemptedAt: now() }));
    } catch (error) {
      progress(id, { trouble: reasonOf(error).slice(0, 256) });
    }
  }

  return {
    begin(drill) {
      current = { drill, begunAt: now(), report: { id: drill.id } };
      void attempt(drill);
    },
    mark(jail, failures) {
      if (current === undefined || isOver() || current.drill.jail !== jail) return;
      const { drill, report } = current;
      for (const failure of failures) {
        if (!failure.user?.startsWith(drill.user)) continue;
        failure.address = drill.address;
        if (report.readAt !== undefined) continue;
        failure.attempts = Math.max(failure.attempts, drill.attempts);
        progress(drill.id, { readAt: now() });
        return;
      }
    },
    report: () => (isOver() ? undefined : current?.report),
    onProgress: progressed.add,
  };
}

/** Throws where it cannot be done. `onAttempt` hears what is about to be written into the log. */
async function attemptOnce(
  { host, sources, jails, ownAddresses }: DrillsOptions,
  drill: Drill,
  onAttempt: (how: string) => void,
): Promise<void> {
  const source = sources.find(({ jail }) => jail === drill.jail);
  if (!source) throw new Error(`no source of this host is of jail ${drill.jail}`);
  const jail = jails().find(({ name }) => name === drill.jail);
  if (jail?.failregex !== undefined) {
    throw new Error(`jail ${drill.jail} has a filter of its own: a drill logs in at Dovecot`);
  }
  const login = { user: drill.user, password: randomBytes(12).toString("hex") };
  const addresses = ["127.0.0.1", "::1", ...ownAddresses()];
  try {
    await failToLogIn({ ...login, addresses, ports: jail?.ports ?? [], onAttempt });
  } catch (error) {
    if (!(error instanceof NothingListens)) throw error;
    const { path } = source;
    if (path === undefined || isPattern(path)) throw error;
    await appendDrillLine({ path, host, drill, onAttempt }).catch((reason: unknown) => {
      const why = `${error.message}, and no line can be written into ${path}: ${reasonOf(reason)}`;
      throw new Error(why, { cause: reason });
    });
  }
}
