/** Rotated files of a log, as logrotate names them: mail.log.1, mail.log-20260303. */
import { readdirSync, statSync, type Stats } from "node:fs";
import { basename, dirname, join } from "node:path";

export interface Sibling {
  path: string;
  stats: Stats;
}

/** Uncompressed ones, oldest first. */
export function siblingsOf(path: string): Sibling[] {
  const directory = dirname(path);
  const name = basename(path);
  return readdirSync(directory)
    .filter((entry) => entry.startsWith(`${name}.`) || entry.startsWith(`${name}-`))
    .filter((entry) => !/\.(?:gz|xz|bz2|zst|new|tmp)$/.test(entry))
    .flatMap((entry) => {
      const sibling = join(directory, entry);
      const stats = statOf(sibling);
      return stats?.isFile() ? [{ path: sibling, stats }] : [];
    })
    .sort((a, b) => a.stats.mtimeMs - b.stats.mtimeMs);
}

/** undefined: there is no such file. */
export function statOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}
