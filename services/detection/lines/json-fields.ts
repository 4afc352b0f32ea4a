/**
 * The table of fields in which logging systems put a line, its time and its writer, in the order in
 * which they are believed. A name with dots is that of a field in an object, or a name with dots.
 */
import { endOfJson } from "./json-end.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** What a record says of one line. */
export interface JsonRecord {
  text: unknown;
  time: unknown;
  /** The name of the program, or its tag with a process id. */
  program: unknown;
  container: unknown;
}

type Role = keyof JsonRecord;

const FIELDS: Readonly<Record<Role, readonly string[]>> = {
  text: [
    "MESSAGE", // journald, syslog-ng
    ...["log", "message", "msg"], // Docker, Fluent Bit, Vector, Logstash, rsyslog
    ...["line", "full_message", "short_message"], // Loki; GELF, whose short message may be cut
    ...["body", "event.original", "@message"], // OpenTelemetry, Elastic, CloudWatch
  ],
  time: [
    ...["time", "timestamp", "@timestamp", "date", "ts"],
    ...["ISODATE", "R_ISODATE", "S_ISODATE", "UNIXTIME", "R_UNIXTIME", "DATE", "STAMP"], // syslog-ng
    ...["timereported", "timegenerated"], // rsyslog
  ],
  program: [
    ...["SYSLOG_IDENTIFIER", "PROGRAM", "program", "programname"], // journald, syslog-ng, rsyslog
    ...["appname", "app-name", "app_name", "APPNAME", "APP-NAME"], // Vector, rsyslog
    ...["ident", "identifier", "syslog_identifier"], // Fluentd, Fluent Bit, promtail
    ...["syslogtag", "syslog-tag", "syslog_tag"], // rsyslog
    ...["_program", "_PROGRAM", "_appname", "_app_name", "_application_name"], // GELF
    ...["syslog.identifier", "log.syslog.appname", "syslog.appname", "process.name"], // Elastic
  ],
  container: [
    ...["CONTAINER_NAME", "container_name", "containerName"], // journald, Vector, Fluentd, stern
    ...["container.name", "kubernetes.container.name", "kubernetes.container_name"],
    ...["_container_name", "docker.container.name", "docker.name"], // GELF, Logspout
    ...["attrs.tag", "attrs.com.docker.compose.service"], // Docker's own options
    ...["container", "pod", "kubernetes.pod_name", "kubernetes.pod.name"],
  ],
};

/** Objects that stand for Loki's labels: their fields are as those of the record. */
const LABELS: readonly string[] = ["labels", "stream"];

interface Place {
  role: Role;
  /** The smaller one is believed. */
  rank: number;
}

const PLACES: ReadonlyMap<string, Place> = new Map(
  (Object.keys(FIELDS) as Role[]).flatMap((role) =>
    FIELDS[role].map((name, rank): [string, Place] => [name, { role, rank }]),
  ),
);

type Ranks = Record<Role, number>;

/** Only these have fields in them that say something. */
const OBJECTS: ReadonlySet<string> = new Set(
  [...PLACES.keys(), ...LABELS].flatMap((name) => {
    const parts = name.split(".");
    return parts.map((_, index) => parts.slice(0, index + 1).join("."));
  }),
);

export function readRecord(fields: Fields): JsonRecord {
  const record = { text: undefined, time: undefined, program: undefined, container: undefined };
  gather(fields, "", record, { text: 99, time: 99, program: 99, container: 99 });
  return record;
}

/**
 * {"log":"Mar 03 04:05:06 imap-login: ...\n","stream":"stderr","time":"2026-03-03T04:05:06.784598123Z"}
 *
 * Docker writes this for every line of every container. Without a character that JSON escapes, such a
 * line is read in one step, which takes less time than an object of it.
 */
const DOCKER = /^\{"log":"([^"\\]+)\\n","stream":"std(?:out|err)","time":"([\dTZ:.+-]+)"\}$/;

export function readDockerRecord(line: string): JsonRecord | undefined {
  const found = DOCKER.exec(line);
  if (found === null) return undefined;
  return { text: found[1], time: found[2], program: undefined, container: undefined };
}

function gather(fields: Fields, prefix: string, record: JsonRecord, ranks: Ranks): void {
  for (const key of Object.keys(fields)) {
    const value = fields[key];
    if (value === null || value === undefined || value === "") continue;
    const name = prefix === "" ? key : prefix + key;
    if (typeof value === "object" && !Array.isArray(value)) {
      if (!OBJECTS.has(name)) continue;
      const within = prefix === "" && LABELS.includes(key) ? "" : `${name}.`;
      if (within !== "" || prefix === "") gather(value as Fields, within, record, ranks);
      continue;
    }
    const place = PLACES.get(name);
    if (!place || place.rank >= ranks[place.role]) continue;
    // Bytes are the text of journald alone.
    if (place.role === "text" && typeof value !== "string" && name !== "MESSAGE") continue;
    ranks[place.role] = place.rank;
    record[place.role] = value;
  }
}

/** The fields of a line that is a JSON object. */
export function readFields(line: string): Fields | undefined {
  const value = parseJson(line);
  return isFields(value) ? value : undefined;
}

/**
 * JSON.parse takes milliseconds for 64 kB of brackets, and `gather` would overflow the stack. A shorter
 * text costs little, however much it nests.
 */
const LONG = 4_096;

/** An object or an array; undefined: `text` is neither, or nests more than logging systems do. */
export function parseJson(text: string): unknown {
  if (text.length > LONG && endOfJson(text, 0) === undefined) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
