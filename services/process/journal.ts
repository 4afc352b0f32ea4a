/**
 * Which entries of systemd's journal are read, as journalctl's arguments.
 *
 * The writer of an entry decides whether the entry counts. journald sets the fields with a leading
 * underscore; the writer chooses all others. If the administrator names no field that identifies the
 * writer, root must have written the entry. Otherwise any user of the host could write an entry that
 * bans somebody.
 */
import { readFileSync } from "node:fs";
import { aliasesOf } from "./unit-files.ts";

/** The entries that a source reads. Several conditions must all be met. */
export interface JournalSelection {
  /** A unit of the system's manager, such as dovecot.service. */
  unit?: string | undefined;
  /** A unit of a user's own manager, as rootless Podman has them, with that user's number. */
  userUnit?: string | undefined;
  uid?: number | undefined;
  /** The name of a container whose output Docker or Podman writes into the journal. */
  container?: string | undefined;
  /** Fields of the journal and their values. */
  match?: Readonly<Record<string, string>> | undefined;
  /** Where the journal's files are; undefined: this machine's own journal. */
  directory?: string | undefined;
}

/** The fields of an entry that detection reads. */
const FIELDS = "MESSAGE,SYSLOG_IDENTIFIER,CONTAINER_NAME,_SOURCE_REALTIME_TIMESTAMP";

/**
 * Fields that identify the writer of an entry for certain. journald sets more fields, but a process
 * chooses its _COMM and _CMDLINE, and every user may have a unit of any name.
 */
const PROOFS = ["_UID", "_GID", "_EXE", "_SYSTEMD_UNIT", "_SYSTEMD_SLICE", "_SYSTEMD_CGROUP"];

/**
 * --merge, because without it journalctl --follow shows only the present boot (systemd 252), and in a
 * sandbox journalctl may not even know which boot that is. The journal may hold entries of other
 * machines then, which are kept out by this machine's id.
 */
export function journalArguments(
  selection: JournalSelection,
  args: readonly string[],
): readonly string[] {
  const { directory } = selection;
  return [
    ...["--output=json", "--all", "--no-pager", "--quiet", "--merge"],
    `--output-fields=${FIELDS}`,
    ...(directory === undefined ? [] : [`--directory=${directory}`]),
    ...args,
    ...journalMatches(selection),
  ];
}

/** journalctl takes any of several values of one field, and wants every field met. */
export function journalMatches(selection: JournalSelection): string[] {
  const { unit, userUnit, uid, container, match = {}, directory } = selection;
  const matches = Object.entries(match).map(([field, value]) => `${field}=${value}`);
  if (unit !== undefined) {
    for (const name of aliasesOf(unit)) matches.push(`_SYSTEMD_UNIT=${name}`);
  }
  if (userUnit !== undefined) matches.push(`_SYSTEMD_USER_UNIT=${userUnit}`);
  if (uid !== undefined) matches.push(`_UID=${uid}`);
  if (container !== undefined) matches.push(`CONTAINER_NAME=${container}`);
  if (!matches.some((each) => PROOFS.includes(each.replace(/=.*/s, "")))) matches.push("_UID=0");
  const machine = directory === undefined ? machineId() : undefined;
  if (machine !== undefined) matches.push(`_MACHINE_ID=${machine}`);
  return matches;
}

/** How the log names such a source. */
export function describeSelection(selection: JournalSelection): string {
  const { unit, userUnit, container, match = {} } = selection;
  const fields = Object.entries(match).map(([field, value]) => `${field}=${value}`);
  const named = container === undefined ? [] : [`container ${container}`];
  return [unit ?? userUnit, ...named, ...fields].filter((each) => each !== undefined).join(", ");
}

/** undefined: this system has no journal, or has none yet. */
function machineId(): string | undefined {
  try {
    return /^[0-9a-f]{32}$/.exec(readFileSync("/etc/machine-id", "latin1").trim())?.[0];
  } catch {
    return undefined;
  }
}
