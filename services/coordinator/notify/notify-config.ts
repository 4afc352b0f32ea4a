/**
 * `notify` of coordinator.yaml: the sinks, and where whois facts come from.
 *
 * A secret never stands in coordinator.yaml: an option names the file or the environment variable
 * that holds it.
 */
import * as z from "zod";
import { duration } from "../../config/duration-setting.ts";
import { MAIL_ADDRESS, MAIL_USER } from "../../config/mail-address.ts";
import { JAIL_NAME, NAME, SINK_NAME } from "../../wire/subjects.ts";
import { EVENT_TYPES } from "./event.ts";

const BAD_ADDRESS = "expected an address such as admin@example.org";
export const LOOPBACK = /^(?:127(?:\.\d+){3}|::1|localhost)$/;
const VARIABLE = /^[A-Za-z_]\w{0,127}$/;
const USUAL_EVENTS = EVENT_TYPES.filter((type) => type !== "unban");

const file = z.string().min(1).max(4096);

export const secretConfig = z
  .strictObject(
    { file: file.optional(), environment: z.string().regex(VARIABLE).optional() },
    { error: "expected { file: PATH } or { environment: NAME }: no secret stands in this file" },
  )
  .refine(
    (given) => (given.file === undefined) !== (given.environment === undefined),
    "expected one of file and environment",
  );
export type SecretConfig = z.output<typeof secretConfig>;

/** Why messages may not go there; undefined: they may. */
export function whyBadUrl(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || url.username !== "" || url.password !== "") {
    return "expected a URL such as https://hooks.example.org/fleetban, without a password in it";
  }
  const isLoopback = /^(?:127(?:\.\d+){3}|\[::1\]|localhost)$/.test(url.hostname);
  if (url.protocol === "https:" || (url.protocol === "http:" && isLoopback)) return undefined;
  return "expected https://, and http:// only to this machine";
}

const url = z
  .string()
  .max(2048)
  .superRefine((text, context) => {
    const message = whyBadUrl(text);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  });

const latency = z
  .tuple([duration, duration], { error: "expected two durations such as [5m, 15m], or none" })
  .refine(([quiet, longest]) => quiet <= longest, "expected the shorter duration first")
  .or(z.literal("none"))
  .transform((given) =>
    given === "none" ? { quiet: 0, longest: 0 } : { quiet: given[0], longest: given[1] },
  );

/** Options of every sink; `usual` is its latency if none is given. */
const common = (usual: readonly [string, string] | "none") => ({
  name: z.string().regex(SINK_NAME, "expected at most 32 of A-Z a-z 0-9 - _"),
  events: z
    .array(z.enum(EVENT_TYPES))
    .min(1)
    .default([...USUAL_EVENTS]),
  jails: z.array(z.string().regex(JAIL_NAME)).min(1).optional(),
  hosts: z.array(z.string().regex(NAME)).min(1).optional(),
  offence: z.number().int().min(1).default(1),
  latency: latency.prefault(usual === "none" ? usual : [...usual]),
});
const MAIL_LATENCY = ["5m", "15m"] as const;
const CHAT_LATENCY = ["10s", "1m"] as const;

const mail = z
  .strictObject({
    ...{ type: z.literal("mail"), ...common(MAIL_LATENCY) },
    to: z
      .array(
        z.string().refine((text) => MAIL_ADDRESS.test(text) || MAIL_USER.test(text), BAD_ADDRESS),
      )
      .min(1)
      .max(50),
    from: z.string().regex(MAIL_ADDRESS, "expected an address such as fleetban@example.org"),
    smtp: z
      .strictObject({
        host: z.string().min(1).max(253),
        port: z.number().int().min(1).max(65535).optional(),
        security: z.enum(["starttls", "tls", "none"]).optional(),
        user: z.string().min(1).max(256).optional(),
        password: secretConfig.optional(),
        ca: file.optional(),
      })
      .refine(
        ({ user, password }) => (user === undefined) === (password === undefined),
        "expected user and password together",
      )
      .refine(
        ({ host, user, security }) =>
          user === undefined || security !== "none" || LOOPBACK.test(host),
        "expected security: starttls or tls: no password goes over a network without it",
      )
      .optional(),
    sendmail: file.optional(),
    whois: z.boolean().default(true),
  })
  .refine(
    ({ smtp, sendmail }) => (smtp === undefined) !== (sendmail === undefined),
    "expected one of smtp and sendmail",
  );

const ca = file.optional();
const webhook = z.strictObject({
  ...{ type: z.literal("webhook"), ...common("none"), url, ca },
  secret: secretConfig.optional(),
  whois: z.boolean().default(false),
});
/** Their URLs are secrets themselves. */
const hook = <T extends "slack" | "teams" | "apprise">(type: T) =>
  z.strictObject({
    ...{ type: z.literal(type), ...common(CHAT_LATENCY), ca },
    url: secretConfig,
  });
const ntfy = z.strictObject({
  ...{ type: z.literal("ntfy"), ...common(CHAT_LATENCY), url, ca },
  token: secretConfig.optional(),
});
const gotify = z.strictObject({
  ...{ type: z.literal("gotify"), ...common(CHAT_LATENCY), url, ca },
  token: secretConfig,
});
const telegram = z.strictObject({
  ...{ type: z.literal("telegram"), ...common(CHAT_LATENCY), ca },
  url: url.default("https://api.telegram.org"),
  chat: z.union([z.string().min(1).max(64), z.number().int()]),
  token: secretConfig,
});
const matrix = z.strictObject({
  ...{ type: z.literal("matrix"), ...common(CHAT_LATENCY), url, ca },
  room: z.string().regex(/^[!#]\S{1,254}$/, 'expected a room such as "!abc:example.org"'),
  token: secretConfig,
});
const exec = z.strictObject({
  ...{ type: z.literal("exec"), ...common("none") },
  command: z.array(z.string().min(1).max(4096)).min(1).max(64),
  timeout: duration.default(30),
  whois: z.boolean().default(false),
});

const sinkConfig = z.discriminatedUnion("type", [
  mail,
  webhook,
  ntfy,
  gotify,
  telegram,
  matrix,
  exec,
  hook("slack"),
  hook("teams"),
  hook("apprise"),
]);
export type SinkConfig = z.output<typeof sinkConfig>;
export type ConfigOf<T extends SinkConfig["type"]> = Extract<SinkConfig, { type: T }>;

export const whoisConfig = z.strictObject({
  databases: z.array(file).max(8).default([]),
  ask: z.boolean().default(true),
  /** In place of the registry that IANA names for an address. */
  rdap: url.optional(),
  server: z
    .string()
    .regex(/^[A-Za-z0-9.-]{1,253}(?::\d{1,5})?$/, "expected a name such as whois.iana.org")
    .default("whois.iana.org"),
});
export type WhoisConfig = z.output<typeof whoisConfig>;

export const notifyConfig = z.strictObject({
  sinks: z
    .array(sinkConfig)
    .max(32)
    .superRefine((sinks, context) => {
      const names = sinks.map(({ name }) => name);
      for (const [index, name] of names.entries()) {
        if (names.indexOf(name) === index) continue;
        const message = `expected a name of its own, "${name}" is another sink's`;
        context.addIssue({ code: "custom", path: [index, "name"], message });
      }
    })
    .default([]),
  whois: whoisConfig.prefault({}),
});
export type NotifyConfig = z.output<typeof notifyConfig>;
