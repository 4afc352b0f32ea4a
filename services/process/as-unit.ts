/**
 * Runs a command as a unit of systemd would run it: as the unit's user, in its sandbox, with its
 * environment. The settings are those that systemd itself would use, drop-ins included
 * (`systemctl cat`); a transient unit gets them (systemd-run).
 */
import { execFile, spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { isErrno } from "./file-error.ts";

const execute = promisify(execFile);

export type AsUnit =
  | { kind: "ran"; code: number; stdout: string }
  /** Why the command could not run as the unit. */
  | { kind: "impossible"; why: string };

/** Settings about a service's start, life and end, not about its user and its sandbox. */
const LIFECYCLE =
  /^(?:Type|ExitType|NotifyAccess|Exec\w+|Restart\w*|SuccessExitStatus|RemainAfterExit|GuessMainPID|PIDFile|Timeout\w+|RuntimeMaxSec|RuntimeDirectory\w*|Watchdog\w+|OOMPolicy|Sockets|FileDescriptor\w+|StartLimit\w+|Standard\w+|TTY\w+|Syslog\w+|Log\w+)$/;

/** "ProtectHome=yes" and so on, of the unit's [Service] section, in their order. */
export function settingsOf(unitText: string): string[] {
  let section = "";
  const settings: string[] = [];
  for (const line of unitText.replaceAll(/\s*\\\n\s*/g, " ").split("\n")) {
    const trimmed = line.trim();
    if (trimmed.startsWith("#") || trimmed.startsWith(";")) continue;
    section = /^\[(.+)\]$/.exec(trimmed)?.[1] ?? section;
    const [, name] = /^(\w+)\s*=/.exec(trimmed) ?? [];
    if (section === "Service" && name !== undefined && !LIFECYCLE.test(name)) {
      settings.push(trimmed.replace(/\s*=\s*/, "="));
    }
  }
  return settings;
}

/** Folders that a unit with ProtectHome= and PrivateTmp= does not see. */
const HIDDEN = /^\/(?:home|root|tmp|var\/tmp|run\/user)\//;

/** Why a unit with a sandbox does not see a file; undefined: the unit sees the file. */
export function whyHidden(file: string): string | undefined {
  const folder = HIDDEN.exec(file)?.[0];
  return folder && `its sandbox does not see ${folder}: copy ${file} to /etc/fleetban`;
}

export async function runAsUnit(unit: string, command: readonly string[]): Promise<AsUnit> {
  let settings: string[];
  try {
    settings = settingsOf((await execute("systemctl", ["cat", "--", unit])).stdout);
  } catch (error) {
    const isMissing = isErrno(error, "ENOENT");
    const why = isMissing ? "there is no systemd here" : `there is no unit ${unit} here`;
    return { kind: "impossible", why };
  }
  const options = ["--quiet", "--pipe", "--wait", "--collect", "--service-type=exec"];
  const properties = settings.map((setting) => `--property=${setting}`);
  const child = spawn("systemd-run", [...options, ...properties, "--", ...command], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once("error", () => resolve(null));
    child.once("close", (code) => resolve(code));
  });
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (code === null || (stdout === "" && code !== 0 && !stderr.startsWith("fleetban"))) {
    const [reason = ""] = stderr.trim().split("\n");
    return { kind: "impossible", why: `systemd-run: ${reason || `ended with ${code}`}` };
  }
  return { kind: "ran", code, stdout: stdout + stderr };
}
