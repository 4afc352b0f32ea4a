/** `check`, run by root: root tries everything as the service's user in the service's sandbox. */
import { resolve } from "node:path";
import { isSea } from "node:sea";
import { runAsUnit, whyHidden, type AsUnit } from "./as-unit.ts";
import { EXIT, type ExitCode } from "./exit.ts";

export interface ServiceCheck {
  unit: string;
  /** The configuration that was asked for; undefined: the service's own. */
  config: string | undefined;
  write: (text: string) => void;
  /** Tries everything in this process, where it cannot be tried as the service. */
  here: () => Promise<ExitCode>;
}

export async function checkAsService(check: ServiceCheck): Promise<ExitCode> {
  const { unit, config, write, here } = check;
  const file = config === undefined ? undefined : resolve(config);
  const hidden = file === undefined ? undefined : whyHidden(file);
  const tried: AsUnit =
    hidden === undefined
      ? await runAsUnit(unit, commandLine(file))
      : { kind: "impossible", why: hidden };
  if (tried.kind === "impossible") {
    const code = await here();
    const instead = `not as the user of ${unit} in its sandbox: ${tried.why}`;
    write(
      `note  sandbox: tried as root, ${instead}; what only root may read looks readable here\n`,
    );
    return code;
  }
  write(`note  sandbox: tried as the user of ${unit} in its sandbox\n`);
  write(tried.stdout);
  return Object.values(EXIT).find((code) => code === tried.code) ?? EXIT.unavailable;
}

/** This very program: one executable, or Node and a script. */
function commandLine(config: string | undefined): string[] {
  const program = isSea() ? [process.execPath] : [process.execPath, process.argv[1] ?? ""];
  return [...program, ...(config === undefined ? [] : ["--config", config]), "check", "--as-is"];
}
