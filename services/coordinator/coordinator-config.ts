/** coordinator.yaml: every option with its default; deploy/examples/coordinator.yaml explains them. */
import { hostname } from "node:os";
import * as z from "zod";
import { durationOrForever, duration } from "../config/duration.ts";
import { LOG_LEVELS } from "../process/log.ts";
import { NATS_VARIABLES, natsConfig } from "../nats/nats-config.ts";
import { addressList } from "../config/address-list.ts";
import {
  compileFilter,
  FilterError,
  type FilterFault,
  type FilterRules,
} from "../detection/filter/filter.ts";
import { hostToken, JAIL_NAME } from "../wire/subjects.ts";
import { PROTOCOLS, type Jail } from "../wire/settings.ts";

type FilterOptions = Omit<FilterRules, "failregex"> & { failregex?: string[] | undefined };

const port = z.number().int().min(1).max(65535);

/** Of a filter, beside its failregex. */
const FILTER_OPTIONS = ["prefregex", "ignoreregex", "datepattern"] as const;

/** A jail travels to the agents as one message. */
const MAX_FILTER_LENGTH = 200_000;

/** One expression a line, as in fail2ban's files, or a list of them. */
const expressions = z
  .union([z.string(), z.array(z.string())])
  .transform((value) =>
    (typeof value === "string" ? value.split("\n") : value)
      .map((each) => each.trim())
      .filter((each) => each !== ""),
  )
  .pipe(z.array(z.string().max(8_192)).max(100))
  .optional();

/** The set-up that mail administrators come from (fail2ban's jail for pop3 and imap). */
const jailConfig = z
  .strictObject({
    ports: z
      .union([z.literal("all"), z.array(port).min(1).max(64)], {
        error: (issue) =>
          `expected a list of ports such as [143, 993], or all, got ${JSON.stringify(issue.input)}`,
      })
      .transform((ports) => (ports === "all" ? [] : ports))
      .default([110, 995, 143, 993]),
    protocol: z.enum(PROTOCOLS).optional(),
    maxretry: z.number().int().min(1).max(100).default(5),
    findtime: duration.default(1200),
    bantime: durationOrForever.default(1200),
    ipv4_prefix: z.number().int().min(8).max(32).default(32),
    ipv6_prefix: z.number().int().min(32).max(128).default(64),
    prefregex: z.string().min(1).max(8_192).optional(),
    failregex: expressions,
    ignoreregex: expressions,
    datepattern: z.string().min(1).max(8_192).optional(),
  })
  .superRefine((jail, context) => {
    for (const { option, index, column, reason } of faultsOf(jail)) {
      context.addIssue({
        code: "custom",
        path: option === "prefregex" || option === "datepattern" ? [option] : [option, index],
        message: column === undefined ? reason : `column ${column}: ${reason}`,
      });
    }
  });

function faultsOf({ failregex, ...others }: FilterOptions): readonly FilterFault[] {
  const { prefregex, ignoreregex, datepattern } = others;
  if (failregex === undefined || failregex.length === 0) {
    const [option] = FILTER_OPTIONS.filter((name) => others[name] !== undefined);
    const reason = "expected a failregex beside it, got none";
    return option ? [{ option, index: 0, column: undefined, reason }] : [];
  }
  const size = JSON.stringify([prefregex, failregex, ignoreregex, datepattern]).length;
  if (size > MAX_FILTER_LENGTH) {
    const reason = `expected at most ${MAX_FILTER_LENGTH} characters in all, got ${size}`;
    return [{ option: "failregex", index: 0, column: undefined, reason }];
  }
  try {
    compileFilter({ prefregex, failregex, ignoreregex, datepattern });
    return [];
  } catch (error) {
    if (error instanceof FilterError) return error.faults;
    throw error;
  }
}

/** null: no limit. */
const guardLimit = z
  .union([z.literal("off"), z.number().int().min(1).max(1_000_000)], {
    error: (issue) =>
      `expected a number of bans from 1 to 1000000, or off, got ${JSON.stringify(issue.input)}`,
  })
  .transform((limit) => (limit === "off" ? null : limit));

export const coordinatorConfig = z.strictObject({
  id: z
    .string()
    .regex(/^[\w.-]{1,63}$/)
    .optional(),
  nats: natsConfig,
  database: z
    .strictObject({
      url: z
        .string()
        // What was given may hold a password.
        .regex(
          /^postgres(?:ql)?:\/\/\S+$/,
          "expected a URL such as postgresql://me@127.0.0.1/fleetban",
        )
        .default("postgresql://fleetban@127.0.0.1:5432/fleetban"),
    })
    .prefault({}),
  http: z
    .strictObject({
      listen: z
        .string()
        .regex(/^(?:\[[0-9a-f:]+\]|[^:]+):\d{1,5}$/, {
          error: (issue) =>
            `expected an address and a port such as "127.0.0.1:9480", got ${JSON.stringify(issue.input)}`,
        })
        .default("127.0.0.1:9480"),
    })
    .prefault({}),
  log: z.strictObject({ level: z.enum(LOG_LEVELS).default("info") }).prefault({}),
  replicas: z.number().int().min(1).max(5).default(1),
  /** 1 MiB to 1 PiB. */
  failuresMaxBytes: z
    .number()
    .int()
    .min(2 ** 20)
    .max(2 ** 50)
    .default(2 ** 30),
  allowlist: addressList.default([]),
  guard: z
    .strictObject({
      bansPerMinute: guardLimit.default(300),
      perHost: guardLimit.default(60),
      outages: z.boolean().default(true),
    })
    .prefault({}),
  jails: z
    .record(z.string().regex(JAIL_NAME), jailConfig.prefault({}))
    .refine((jails) => Object.keys(jails).length > 0, "expected at least one jail, got none")
    .prefault({ dovecot: {} }),
});
export type CoordinatorConfig = z.output<typeof coordinatorConfig>;

export const COORDINATOR_VARIABLES = {
  ...NATS_VARIABLES,
  DATABASE_URL: "database.url",
  FLEETBAN_HTTP_LISTEN: "http.listen",
  FLEETBAN_LOG_LEVEL: "log.level",
} as const;

/** Names this coordinator among several: the configured id, or host and process. */
export function coordinatorId(config: CoordinatorConfig, pid: number): string {
  return config.id ?? `${hostToken(hostname())}-${pid}`;
}

export function jailsOf(config: CoordinatorConfig): Jail[] {
  return Object.entries(config.jails).map(([name, jail]) => ({ v: 1, name, ...jail }));
}

/** "127.0.0.1:9480" or "[::1]:9480". */
export function parseListen(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(":");
  return {
    host: text.slice(0, colon).replace(/^\[|\]$/g, ""),
    port: Number(text.slice(colon + 1)),
  };
}
