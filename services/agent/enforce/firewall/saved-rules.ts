/**
 * Files from which iptables-restore loads the rules of a boot. `netfilter-persistent save` writes
 * fleetban's rules into them, too, with the names of its sets. When these sets do not exist at the
 * next boot, iptables-restore refuses the whole file, and the host has no firewall at all.
 */
import { readFile } from "node:fs/promises";
import { run as runCommand, type Run } from "./command.ts";
import { createSetLine } from "./ipset/ipset-sets.ts";
import { FAMILIES } from "./names.ts";
import { isErrno } from "../../../process/file-error.ts";

/** Debian's netfilter-persistent, and iptables-services of Enterprise Linux. */
export const SAVED_FILES = [
  "/etc/iptables/rules.v4",
  "/etc/iptables/rules.v6",
  "/etc/sysconfig/iptables",
  "/etc/sysconfig/ip6tables",
] as const;

export interface SavedRules {
  file: string;
  /** fleetban's sets that it names, "fleetban-dovecot-4" for instance. */
  sets: string[];
}

/** Throws what readFile throws, but for files that do not exist. */
export async function readSavedRules(
  files: readonly string[] = SAVED_FILES,
): Promise<SavedRules[]> {
  const found: SavedRules[] = [];
  for (const file of files) {
    const text = await readFile(file, "utf8").catch((error: unknown) => {
      if (isErrno(error, "ENOENT")) return "";
      throw error;
    });
    const names = text.matchAll(/--match-set (fleetban-[\w-]{1,16}-[46]) /g);
    const sets = [...new Set([...names].map(([, set = ""]) => set))];
    if (sets.length > 0) found.push({ file, sets });
  }
  return found;
}

/** Makes these sets, empty, where they do not exist. Returns their names. */
export async function makeSavedSets(
  saved: readonly SavedRules[],
  run: Run = runCommand,
): Promise<string[]> {
  const names = [...new Set(saved.flatMap(({ sets }) => sets))];
  const present = new Set((await run("ipset", ["list", "-name"])).split("\n"));
  const missing = names.filter((name) => !present.has(name));
  const lines = missing.map((name) => {
    const [four, six] = FAMILIES;
    return createSetLine(name, name.endsWith("6") ? six : four);
  });
  if (lines.length > 0) await run("ipset", ["restore", "-exist"], `${lines.join("\n")}\n`);
  return missing;
}
