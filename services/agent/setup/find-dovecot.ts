/** Where Dovecot is on this machine, and where its lines can be read. */
import type { Lookups } from "./lookups.ts";

export interface Dovecot {
  /** "2.3.19.1"; undefined: there is no program dovecot here. */
  version: string | undefined;
  /** What doveconf says of info_log_path, or log_path: "syslog", "/dev/stderr", a file. */
  logTarget: string | undefined;
  /** Its unit, if systemd has loaded one. */
  unit: string | undefined;
  /** Containers whose name or image is that of a mail server. */
  containers: readonly Container[];
}

export interface Container {
  engine: "docker" | "podman";
  name: string;
  image: string;
}

/** A log that the agent can read. */
export type Target =
  | { kind: "file"; path: string }
  | { kind: "journal"; unit: string }
  | { kind: "container"; name: string };

const UNIT = "dovecot.service";
const MAIL_SERVER = /dovecot|mailcow|mailserver|mailu|iredmail/i;
/** Where syslog daemons write what comes of the facility mail. */
const SYSLOG_FILES = [
  "/var/log/mail.log",
  "/var/log/maillog",
  "/var/log/mail",
  "/var/log/syslog",
  "/var/log/messages",
] as const;
const OF_DOVECOT = /\bdovecot\b|imap-login|pop3-login/;

export async function findDovecot({ run }: Pick<Lookups, "run">): Promise<Dovecot> {
  const [version, info, log, loaded, ...containers] = await Promise.all([
    run("dovecot", "--version"),
    run("doveconf", "-h", "info_log_path"),
    run("doveconf", "-h", "log_path"),
    run("systemctl", "show", "--property=LoadState", "--value", UNIT),
    ...(["docker", "podman"] as const).map((engine) => findContainers(engine, { run })),
  ]);
  return {
    version: version?.split(" ")[0],
    logTarget: [info, log].find((target) => target !== undefined && target !== ""),
    unit: loaded === "loaded" ? UNIT : undefined,
    containers: containers.flat(),
  };
}

async function findContainers(
  engine: Container["engine"],
  { run }: Pick<Lookups, "run">,
): Promise<Container[]> {
  const listed = await run(engine, "ps", "--format", "{{.Names}}\t{{.Image}}");
  return (listed ?? "")
    .split("\n")
    .filter((line) => MAIL_SERVER.test(line))
    .map((line) => {
      const [name = "", image = ""] = line.split("\t");
      return { engine, name, image };
    });
}

/** The log to read, and why this one; undefined: there is none. */
export function chooseTarget(
  { version, logTarget, unit, containers }: Dovecot,
  { exists, tail }: Pick<Lookups, "exists" | "tail">,
): { target: Target; why: string } | undefined {
  const [container] = containers;
  if (logTarget?.startsWith("/") && !logTarget.startsWith("/dev/")) {
    const target = { kind: "file", path: logTarget } as const;
    return { target, why: "doveconf says that Dovecot writes this log" };
  }
  if (version === undefined && container) {
    const target = { kind: "container", name: container.name } as const;
    return {
      target,
      why: `${container.engine} runs ${container.image}, whose output is read from the journal`,
    };
  }
  const present = SYSLOG_FILES.filter((path) => exists(path));
  const withDovecot = present.find((path) => tail(path)?.some((line) => OF_DOVECOT.test(line)));
  if (withDovecot !== undefined) {
    const target = { kind: "file", path: withDovecot } as const;
    return { target, why: "Dovecot logs to syslog, and its lines are in this file" };
  }
  if (unit !== undefined) {
    const target = { kind: "journal", unit } as const;
    return { target, why: "no syslog file has Dovecot's lines, so they are read from the journal" };
  }
  const [first] = present;
  if (first === undefined) return undefined;
  const target = { kind: "file", path: first } as const;
  return { target, why: "no line of Dovecot was found; this is where syslog would write it" };
}
