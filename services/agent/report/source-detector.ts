/**
 * How the lines of a source are to be understood: as Dovecot's own, or by the filter that
 * the source's jail has.
 */
import { createDetector, type Detector } from "../../detection/dovecot-detector.ts";
import type { Reading } from "../../detection/dovecot/reading.ts";
import type { Ledger } from "../../detection/attempts/attempt-ledger.ts";
import { compileFilter, FilterError } from "../../detection/filter/filter.ts";
import { createFilterDetector } from "../../detection/filter/filter-detector.ts";
import type { LogFacts } from "../../detection/lines/log-facts.ts";
import type { Writers } from "../../detection/lines/writers.ts";
import type { SourceConfig } from "../agent-config.ts";
import type { Jail } from "../../wire/settings.ts";

/** The detector of a source; undefined while nobody can tell how its jail counts. */
export interface SourceDetector {
  current(): Detector | undefined;
  /** Takes the jails as they are now; a jail that is gone is kept as it was. */
  learn(jails: readonly Jail[]): void;
  /** Why the jail's filter cannot be used, as the jail is now; undefined: it can be used. */
  unusable(): string | undefined;
}

export interface SourceDetectorOptions {
  source: string;
  jail: string;
  ledger: Ledger;
  log: LogFacts;
  onUnrecognized?: ((line: string) => void) | undefined;
  /** Hears of every line of Dovecot's that is looked at. */
  onReading?: ((reading: Reading) => void) | undefined;
  /** The jail's filter cannot be used, because of this. */
  onUnusable: (reason: string) => void;
}

/** What the source itself says of those whose lines count. */
export function writersOf({
  container,
  match,
  instance,
}: Pick<SourceConfig, "container" | "match" | "instance">): Writers {
  const isChosen = container !== undefined || match !== undefined;
  return { writers: isChosen ? "chosen" : "dovecot", instances: instance };
}

export function createSourceDetector(options: SourceDetectorOptions): SourceDetector {
  const { source, ledger, log, onUnrecognized, onReading, onUnusable } = options;
  let detector: Detector | undefined;
  let rules: string | undefined;
  let unusable: string | undefined;

  function detectorFor({
    failregex,
    prefregex,
    ignoreregex,
    datepattern,
  }: Jail): Detector | undefined {
    if (failregex === undefined) {
      return createDetector({ source, ledger, log, onUnrecognized, onReading });
    }
    try {
      const filter = compileFilter({ failregex, prefregex, ignoreregex, datepattern });
      return createFilterDetector(filter, log);
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      // The coordinator has refused what cannot be compiled: it is of another version.
      unusable = error.message;
      onUnusable(unusable);
      return undefined;
    }
  }

  return {
    current: () => detector,
    unusable: () => unusable,
    learn(jails) {
      const jail = jails.find(({ name }) => name === options.jail);
      if (!jail) return;
      const { failregex, prefregex, ignoreregex, datepattern } = jail;
      const wanted = JSON.stringify([failregex, prefregex, ignoreregex, datepattern]);
      if (wanted === rules) return;
      rules = wanted;
      unusable = undefined;
      detector = detectorFor(jail) ?? detector;
    },
  };
}
