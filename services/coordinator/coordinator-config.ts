/** coordinator.yaml: every option with its default; deploy/examples/coordinator.yaml explains them. */
import { hostname } from "node:os";
import * as z from "zod";
import { duration, durationOrForever } from "../config/duration-setting.ts";
import { listenConfig } from "../config/listen.ts";
import { LOG_LEVELS } from "../process/log.ts";
import { natsConfig } from "../nats/nats-config.ts";
import { NATS_VARIABLES } from "../nats/nats-variables.ts";
import { hostToken, JAIL_NAME } from "../wire/subjects.ts";
import type { Jail } from "../wire/settings.ts";
import { allowedEntry, refuseUnknownJails } from "./allowed-config.ts";
import { jailConfig, jailOf } from "./jail-config.ts";
import { notifyConfig } from "./notify/notify-config.ts";
import { webConfig } from "../web/server/web-config.ts";

const DAY_SECONDS = 86_400;

/** A jail that counts bans needs others that make them. */
function refuseBansOfNone(
  jails: Readonly<Record<string, Pick<Jail, "source">>>,
  context: z.RefinementCtx,
): void {
  const names = Object.keys(jails);
  const counting = names.filter((name) => jails[name]?.source === "bans");
  if (counting.length < names.length) return;
  for (const name of counting) {
    const message = "expected another jail beside it, whose bans it counts, got none";
    context.addIssue({ code: "custom", path: [name, "source"], message });
  }
}

/** null: no limit. */
const guardLimit = z
  .union([z.literal("off"), z.number().int().min(1).max(1_000_000)], {
    error: (issue) =>
      `expected a number of bans from 1 to 1000000, or off, got ${JSON.stringify(issue.input)}`,
  })
  .transform((limit) => (limit === "off" ? null : limit));

const kept = (usual: number) =>
  durationOrForever
    .refine((seconds) => seconds === null || seconds >= DAY_SECONDS, "expected at least 1d, or -1")
    .default(usual);

export const coordinatorConfig = z
  .strictObject({
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
    /** Seconds; null: for ever. */
    retention: z
      .strictObject({ failures: kept(90 * DAY_SECONDS), bans: kept(400 * DAY_SECONDS) })
      .prefault({}),
    http: z
      .strictObject({
        listen: listenConfig.default("127.0.0.1:9480"),
      })
      .prefault({}),
    web: webConfig.prefault({}),
    log: z.strictObject({ level: z.enum(LOG_LEVELS).default("info") }).prefault({}),
    replicas: z.number().int().min(1).max(5).default(1),
    /** 1 MiB to 1 PiB. */
    failuresMaxBytes: z
      .number()
      .int()
      .min(2 ** 20)
      .max(2 ** 50)
      .default(2 ** 30),
    allowlist: z.array(allowedEntry).default([]),
    guard: z
      .strictObject({
        bansPerMinute: guardLimit.default(300),
        perHost: guardLimit.default(60),
        outages: z.boolean().default(true),
      })
      .prefault({}),
    notify: notifyConfig.prefault({}),
    jails: z
      .record(z.string().regex(JAIL_NAME), jailConfig.prefault({}))
      .refine((jails) => Object.keys(jails).length > 0, "expected at least one jail, got none")
      .superRefine(refuseBansOfNone)
      .prefault({ dovecot: {} }),
    /** fail2ban's default, too. */
    dbpurgeage: duration.default(86_400),
  })
  .superRefine(refuseUnknownJails);
export type CoordinatorConfig = z.output<typeof coordinatorConfig>;

export const COORDINATOR_VARIABLES = {
  ...NATS_VARIABLES,
  DATABASE_URL: "database.url",
  FLEETBAN_HTTP_LISTEN: "http.listen",
  FLEETBAN_WEB_LISTEN: "web.listen",
  FLEETBAN_LOG_LEVEL: "log.level",
} as const;

/** Names this coordinator among several: the configured id, or host and process. */
export function coordinatorId(config: CoordinatorConfig, pid: number): string {
  return config.id ?? `${hostToken(hostname())}-${pid}`;
}

export function jailsOf(config: CoordinatorConfig): Jail[] {
  return Object.entries(config.jails).map(([name, options]) => jailOf(name, options));
}
