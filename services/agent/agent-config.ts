/** agent.yaml: every option with its default; deploy/examples/agent.yaml explains them. */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import * as z from "zod";
import { duration } from "../config/duration-setting.ts";
import { LOG_LEVELS } from "../process/log.ts";
import { parseZone } from "../detection/lines/zone.ts";
import { natsConfig } from "../nats/nats-config.ts";
import { NATS_VARIABLES } from "../nats/nats-variables.ts";
import { addressList } from "../config/address-list.ts";
import { FIREWALL_KINDS, type FirewallKind } from "./enforce/firewall/firewall.ts";
import { hostToken, JAIL_NAME, NAME } from "../wire/subjects.ts";

const name = (pattern: RegExp, longest: number) =>
  z.string().regex(pattern, {
    error: (issue) =>
      `expected up to ${longest} letters, digits, - and _, got ${JSON.stringify(issue.input)}`,
  });

const absolutePath = z.string().startsWith("/", {
  error: (issue) => `expected an absolute path, got ${JSON.stringify(issue.input)}`,
});

const unitName = z.string().regex(/^[\w@.:\\-]{1,200}\.(?:service|scope)$/, {
  error: (issue) => `expected a unit such as "dovecot.service", got ${JSON.stringify(issue.input)}`,
});

/** A field of the journal may hold any text of one line. */
const fieldValue = z.string().regex(/^[^\n\0]{1,1024}$/, {
  error: (issue) => `expected one line of text, got ${JSON.stringify(issue.input)}`,
});

const fields = z.record(
  z.string().regex(/^[A-Z_][A-Z0-9_]{0,63}$/, {
    error: (issue) =>
      `expected a field of the journal such as "CONTAINER_TAG", got ${JSON.stringify(issue.input)}`,
  }),
  fieldValue,
);

/** As syslog, Docker and Kubernetes allow names. */
const instanceName = z.string().regex(/^[\w.@/-]{1,64}$/, {
  error: (issue) =>
    `expected a name that Dovecot writes under such as "mail1", got ${JSON.stringify(issue.input)}`,
});
const instances = z
  .union([instanceName.transform((name) => [name]), z.array(instanceName).min(1)], {
    error: (issue) => `expected a name or a list of names, got ${JSON.stringify(issue.input)}`,
  })
  .optional();

/** Seconds. The leader gives a sign of life every 2 s, and a busy machine may delay some of them. */
const SHORTEST_FALLBACK = 5;
const isLongEnough = (seconds: number): boolean => seconds >= SHORTEST_FALLBACK;
const expectedFallback = {
  error: ({ input }: { input?: unknown }) =>
    `expected at least ${SHORTEST_FALLBACK}s, or never, got ${JSON.stringify(input)}`,
};

/** A number, or a name in /etc/passwd. */
const user = z.union([z.number(), z.string()]).transform((given, { addIssue }) => {
  const uid = typeof given === "number" ? given : uidOf(given);
  if (uid !== undefined && Number.isSafeInteger(uid) && uid >= 0) return uid;
  addIssue(`expected a user of this host or a number, got ${JSON.stringify(given)}`);
  return z.NEVER;
});

const timezone = z.string().transform((name, { addIssue }) => {
  if (parseZone(name) !== undefined) return name;
  addIssue(`expected a time zone such as "Europe/Berlin" or "+02:00", got ${JSON.stringify(name)}`);
  return z.NEVER;
});

const source = z
  .strictObject({
    name: name(NAME, 63),
    path: absolutePath.optional(),
    unit: unitName.optional(),
    userUnit: unitName.optional(),
    user: user.optional(),
    container: fieldValue.optional(),
    match: fields.optional(),
    directory: absolutePath.optional(),
    timezone: timezone.optional(),
    instance: instances,
    jail: name(JAIL_NAME, 16).default("dovecot"),
    startAt: z.enum(["end", "beginning"]).default("end"),
  })
  .refine((each) => (each.path === undefined) === isOfJournal(each), {
    error:
      "expected either the path of a log, or what to read of the journal: a unit, a userUnit, a container or a match",
  })
  .refine((each) => each.unit === undefined || each.userUnit === undefined, {
    error: "expected either a unit or a userUnit, got both",
  })
  .refine((each) => (each.userUnit === undefined) === (each.user === undefined), {
    error: "expected a user with a userUnit, and only there: any user may have a unit of that name",
  })
  .refine((each) => each.directory === undefined || each.path === undefined, {
    error: "expected a directory only where the journal is read: it is the journal's",
  })
  .refine((each) => each.timezone === undefined || each.path !== undefined, {
    error: "expected a timezone only with a path: the journal knows the exact time",
  });

interface JournalFields {
  unit?: string | undefined;
  userUnit?: string | undefined;
  container?: string | undefined;
  match?: Readonly<Record<string, string>> | undefined;
}

function isOfJournal({ unit, userUnit, container, match }: JournalFields): boolean {
  const hasMatch = match !== undefined && Object.keys(match).length > 0;
  return unit !== undefined || userUnit !== undefined || container !== undefined || hasMatch;
}

/** undefined: there is no such user. */
function uidOf(name: string): number | undefined {
  if (/^\d+$/.test(name)) return Number(name);
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  const uid = lines.map((line) => line.split(":")).find(([user]) => user === name)?.[2];
  return uid === undefined ? undefined : Number(uid);
}

export type SourceConfig = z.output<typeof source>;

/** One, or a list in order of preference; in the environment with commas between them. */
const backends = z
  .union([z.string().transform((text) => text.split(",")), z.array(z.string())], {
    error: (issue) => `expected a name or a list of names, got ${JSON.stringify(issue.input)}`,
  })
  .transform((names, { addIssue }) => {
    const kinds: FirewallKind[] = [];
    for (const name of names) {
      const kind = FIREWALL_KINDS.find((each) => each === name.trim());
      if (kind) kinds.push(kind);
      else addIssue(`expected one of ${FIREWALL_KINDS.join(", ")}, got ${JSON.stringify(name)}`);
    }
    if (names.length === 0) addIssue("expected at least one name, got none");
    if (new Set(kinds).size < kinds.length) addIssue("expected every name once");
    if (kinds.length > 1 && kinds.includes("dry-run")) {
      addIssue("expected dry-run alone: no host is to end up without bans unnoticed");
    }
    return kinds;
  });

export const agentConfig = z
  .strictObject({
    host: name(NAME, 63).default(() => hostToken(hostname())),
    nats: natsConfig,
    stateDir: absolutePath.default("/var/lib/fleetban-agent"),
    log: z.strictObject({ level: z.enum(LOG_LEVELS).default("info") }).prefault({}),
    mode: z.enum(["normal", "aggressive"]).default("normal"),
    users: z.enum(["store", "hash", "drop"]).default("store"),
    usersKey: absolutePath.optional(),
    firewall: z
      .strictObject({
        backend: backends.prefault("ipset"),
        chains: z
          .array(name(/^[\w-]{1,28}$/, 28))
          .min(1)
          .default(["INPUT"]),
        repairEvery: duration.default(20),
      })
      .prefault({}),
    fallbackAfter: z
      .union(
        [z.literal("never"), duration.refine(isLongEnough, expectedFallback)],
        expectedFallback,
      )
      .default(10),
    ignoreip: addressList.default([]),
    sources: z
      .array(source)
      .min(1)
      .prefault([{ name: "mail-log", path: "/var/log/mail.log" }])
      .refine((all) => new Set(all.map((each) => each.name)).size === all.length, {
        error: "expected a different name for every source",
      }),
  })
  .refine((config) => config.users !== "hash" || config.usersKey !== undefined, {
    path: ["usersKey"],
    error: "expected a file with the fleet's key, for users: hash, got nothing",
  });
export type AgentConfig = z.output<typeof agentConfig>;

export const AGENT_VARIABLES = {
  ...NATS_VARIABLES,
  FLEETBAN_HOST: "host",
  FLEETBAN_STATE_DIR: "stateDir",
  FLEETBAN_LOG_LEVEL: "log.level",
  FLEETBAN_FIREWALL: "firewall.backend",
} as const;
