/** The sinks of the configuration, with their secrets read. All faults are reported at once. */
import { createHash } from "node:crypto";
import { ConfigError } from "../../config/load-config.ts";
import type { Delivery } from "./digest.ts";
import { jsonOf } from "./message/event-json.ts";
import type { FactsOf } from "./message/event-text.ts";
import { whyBadUrl, type ConfigOf, type NotifyConfig, type SinkConfig } from "./notify-config.ts";
import { createSecrets, type Secrets, type SecretsFrom } from "./secrets.ts";
import type { Send, Sink } from "./sink.ts";
import { createMail } from "./sinks/mail.ts";
import { post } from "./sinks/post.ts";
import {
  apprise,
  gotify,
  matrix,
  ntfy,
  slack,
  teams,
  telegram,
  type Preset,
} from "./sinks/presets.ts";
import { runProgram } from "./sinks/run-program.ts";
import { createWebhook, parseWebhookSecret } from "./sinks/webhook.ts";
import { openAddressBook } from "./whois/address-book.ts";
import type { LookUpInDatabases } from "./whois/databases.ts";

export interface OpenSinksOptions extends SecretsFrom {
  /** The jails that there are. */
  jails: readonly string[];
  now: () => number;
}

type LookUp = (delivery: Delivery) => Promise<FactsOf>;
const UNKNOWN: FactsOf = () => undefined;

export interface OpenedSinks {
  sinks: Sink[];
  /** What the operator's databases say of an address; undefined: there are none. */
  inDatabases: LookUpInDatabases | undefined;
}

/** Throws a ConfigError with a line for every fault. */
export function openSinks(config: NotifyConfig, options: OpenSinksOptions): OpenedSinks {
  const secrets = createSecrets(options);
  const book = openAddressBook(config.whois, { ...options, fault: secrets.fault });
  const sinks = config.sinks.map((sink) => {
    const unknown = (sink.jails ?? []).filter((name) => !options.jails.includes(name));
    for (const name of unknown) {
      secrets.fault(
        `${sink.name}.jails`,
        `there is no jail ${name}, expected ${options.jails.join(", ")}`,
      );
    }
    return openSink(sink, { ...options, secrets, lookUp: book.lookUp });
  });
  const faults = secrets.faults();
  if (faults.length > 0) throw new ConfigError(faults.map((fault) => `notify: ${fault}`));
  return { sinks, inDatabases: book.inDatabases };
}

interface Opening {
  secrets: Secrets;
  lookUp: LookUp;
  now: () => number;
}

function openSink(config: SinkConfig, opening: Opening): Sink {
  const { name, type, events, jails, hosts, offence, latency } = config;
  const { send, where, isSecret } = receiverOf(config, opening);
  return {
    ...{ name, type, latency, send },
    filter: { events, jails, hosts, offence },
    target: createHash("sha256")
      .update(JSON.stringify([type, where]))
      .digest("hex")
      .slice(0, 32),
    describe: isSecret ? hostOf(where) : where,
  };
}

interface Receiver {
  send: Send;
  where: string;
  /** Is a part of `where` secret? */
  isSecret: boolean;
}

function receiverOf(config: SinkConfig, opening: Opening): Receiver {
  const { secrets, now } = opening;
  switch (config.type) {
    case "mail":
      return mailReceiver(config, opening);
    case "exec": {
      const { command, timeout, whois } = config;
      const lookUp = whois ? opening.lookUp : () => Promise.resolve(UNKNOWN);
      const send: Send = async (delivery) => {
        const input = `${jsonOf(delivery, await lookUp(delivery))}\n`;
        return runProgram({ command, input, withinMs: timeout * 1000 });
      };
      return { send, where: command.join(" "), isSecret: false };
    }
    case "webhook": {
      const { url, whois } = config;
      const option = `${config.name}.secret`;
      const secret = secrets.readOptional(option, config.secret);
      const key = secret === undefined ? undefined : parseWebhookSecret(secret);
      if (secret !== undefined && secret !== "" && !key) {
        secrets.fault(option, "expected whsec_ and 24 to 64 bytes in base64 behind it");
      }
      const lookUp = whois ? opening.lookUp : () => Promise.resolve(UNKNOWN);
      const ca = secrets.readCa(`${config.name}.ca`, config.ca);
      return { send: createWebhook({ url, ca, key, lookUp, now }), where: url, isSecret: false };
    }
    case "slack":
    case "teams":
    case "apprise":
    case "ntfy":
    case "gotify":
    case "telegram":
    case "matrix": {
      const { preset, where, isSecret } = presetOf(config, secrets);
      const ca = secrets.readCa(`${config.name}.ca`, config.ca);
      return { send: (delivery) => post({ ...preset(delivery), ca }), where, isSecret };
    }
  }
}

function mailReceiver(config: ConfigOf<"mail">, { secrets, lookUp }: Opening): Receiver {
  const { name, smtp, sendmail, to } = config;
  const password = secrets.readOptional(`${name}.smtp.password`, smtp?.password);
  const ca = secrets.readCa(`${name}.smtp.ca`, smtp?.ca);
  const look: LookUp = config.whois ? lookUp : () => Promise.resolve(UNKNOWN);
  const where = `${to.join(", ")} through ${sendmail ?? smtp?.host ?? ""}`;
  return { send: createMail({ config, password, ca, lookUp: look }), where, isSecret: false };
}

type PresetConfig = Exclude<SinkConfig, { type: "mail" | "exec" | "webhook" }>;

function presetOf(
  config: PresetConfig,
  secrets: Secrets,
): { preset: Preset; where: string; isSecret: boolean } {
  const { name } = config;
  switch (config.type) {
    case "slack":
    case "teams":
    case "apprise": {
      const url = secrets.read(`${name}.url`, config.url);
      const fault = url === "" ? undefined : whyBadUrl(url);
      if (fault !== undefined) secrets.fault(`${name}.url`, fault);
      const make = { slack, teams, apprise }[config.type];
      return { preset: make(url), where: url, isSecret: true };
    }
    case "ntfy": {
      const token = secrets.readOptional(`${name}.token`, config.token);
      return { preset: ntfy(config.url, token), where: config.url, isSecret: false };
    }
    case "gotify": {
      const token = secrets.read(`${name}.token`, config.token);
      return { preset: gotify(config.url, token), where: config.url, isSecret: false };
    }
    case "telegram": {
      const token = secrets.read(`${name}.token`, config.token);
      const where = `${config.url} chat ${config.chat}`;
      return { preset: telegram(config.url, config.chat, token), where, isSecret: false };
    }
    case "matrix": {
      const token = secrets.read(`${name}.token`, config.token);
      const where = `${config.url} room ${config.room}`;
      return { preset: matrix(config.url, config.room, token), where, isSecret: false };
    }
  }
}

const hostOf = (url: string) => (URL.canParse(url) ? new URL(url).origin : "");
