/**
 * How the `fleetban` program starts. It loads only what the command needs, for people and scripts
 * run it often: a version is printed without loading anything else.
 */
import { readVersion } from "../process/version.ts";

/** `loadRun` loads run.ts with every command. */
export function start(loadRun: () => Promise<{ run: () => Promise<void> }>): void {
  const [, , first, ...more] = process.argv;
  if ((first === "--version" || first === "-V") && more.length === 0) {
    process.stdout.write(`${readVersion()}\n`);
  } else {
    // No await at the top: the script of a single executable is CommonJS.
    void loadRun().then(({ run }) => run());
  }
}
