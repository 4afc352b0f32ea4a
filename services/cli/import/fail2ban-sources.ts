/** Where the lines of a jail of fail2ban come from. */
import { parseZone } from "../../detection/lines/zone.ts";
import type { Options } from "./jail-options.ts";

export interface ImportedSource {
  name: string;
  path?: string;
  /** Of the stamps in the file, where fail2ban is told it. */
  timezone?: string;
  unit?: string;
}

/** `unit`: the one that the filter is for. */
export function sourcesOf(
  { valueOf, note }: Options,
  name: string,
  unit: string | undefined,
): ImportedSource[] {
  const paths = wordsOf(valueOf("logpath")).filter((each) => each.startsWith("/"));
  if (valueOf("backend").startsWith("systemd") || (paths.length === 0 && unit !== undefined)) {
    const asked = unitOf(valueOf("journalmatch")) ?? unit;
    if (asked !== undefined) {
      note(
        "backend",
        `${asked} is read, as fail2ban has it; its name may be another one here: systemctl list-units`,
      );
      return [{ name, unit: asked }];
    }
    note(
      "backend",
      "expected a journalmatch with _SYSTEMD_UNIT=..., got none; name the unit in agent.yaml",
    );
    return [];
  }
  const zone = zoneOf(valueOf("logtimezone"), note);
  if (paths.length === 0) note("logpath", "expected the path of a log, got none");
  return paths.flatMap((path, index) => {
    if (/[%<]/.test(path)) {
      note("logpath", `${path}: expected the path of a log; name it in agent.yaml`);
      return [];
    }
    return [{ name: index === 0 ? name : `${name}-${index + 1}`, path, ...zone }];
  });
}

/** fail2ban's logtimezone: UTC, UTC+0200, GMT-01:30 (fail2ban, config/jail.conf). */
function zoneOf(timezone: string, note: Options["note"]): { timezone?: string } {
  if (timezone === "") return {};
  if (parseZone(timezone) !== undefined) return { timezone };
  note("logtimezone", `${timezone}: expected a zone such as UTC+0200; set timezone in agent.yaml`);
  return {};
}

/** The unit of a journalmatch; undefined: it names none. */
export function unitOf(journalmatch: string): string | undefined {
  return /_SYSTEMD_UNIT=([\w@.-]+\.service)/.exec(journalmatch)?.[1];
}

export function wordsOf(text: string): string[] {
  return text.split(/[\s,]+/).filter((each) => each !== "");
}
