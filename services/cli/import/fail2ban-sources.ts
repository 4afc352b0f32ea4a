/** Where the lines of a jail of fail2ban come from. */
import type { Options } from "./jail-options.ts";

export interface ImportedSource {
  name: string;
  path?: string;
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
  if (paths.length === 0) note("logpath", "expected the path of a log, got none");
  return paths.flatMap((path, index) => {
    if (/[*?[%<]/.test(path)) {
      note("logpath", `${path}: expected the path of one log; name each of them in agent.yaml`);
      return [];
    }
    return [{ name: index === 0 ? name : `${name}-${index + 1}`, path }];
  });
}

/** The unit of a journalmatch; undefined: it names none. */
export function unitOf(journalmatch: string): string | undefined {
  return /_SYSTEMD_UNIT=([\w@.-]+\.service)/.exec(journalmatch)?.[1];
}

export function wordsOf(text: string): string[] {
  return text.split(/[\s,]+/).filter((each) => each !== "");
}
