/**
 * Reads coordinator.yaml again, on SIGHUP and on `fleetban jail reload`. A file with any fault is
 * refused as a whole, and the policy in use stays. What a reload cannot replace is named.
 *
 * An operator's command stands in the settings bucket. So it is on record, and every other
 * coordinator reads the file of its own machine again, too.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { EXIT, PlainError } from "../../process/exit.ts";
import type { Log } from "../../process/log.ts";
import { reasonOf } from "../../process/reason.ts";
import { encodeReload, type Setting } from "../../wire/settings.ts";
import { RELOAD_KEY } from "../../wire/subjects.ts";
import type { Settings } from "../buckets/settings-store.ts";
import type { RefusedPolicies } from "../hosts/refused-policies.ts";
import { jailsOf, type CoordinatorConfig } from "../coordinator-config.ts";
import type { JailSettings } from "../buckets/jail-settings.ts";
import { policyOf, type Policy } from "./policy.ts";

export interface Reloaded {
  /** Why the file is refused; empty: it is not. */
  faults: readonly string[];
  /** What has changed and counts: "jail dovecot is changed". */
  changes: readonly string[];
  /** Options of the file that have changed and count after a restart. */
  needRestart: readonly string[];
  /** Of the policy that was read; undefined: the file is refused. */
  policyVersion?: string;
  /** false: failures are still being counted by the new policy; until then the old one decides. */
  isInUse: boolean;
}

export interface PolicyReload {
  /** What is to decide: the accepted file, and what operators have set. */
  policy(): Policy;
  /** The accepted file. */
  config(): CoordinatorConfig;
  /** Decides by what operators have set. Resolves to whether it does already. */
  apply(): Promise<boolean>;
  /** Operators have set something else: applies it, while nobody waits for an answer. */
  settingsChanged(): void;
  /** Reads the file again for `by`. With "every" the other coordinators read theirs, too. */
  reload(by: string, coordinators: "this" | "every"): Promise<Reloaded>;
  /** The process has got SIGHUP. */
  hangUp(): void;
  /** The settings bucket has this now. */
  noteSetting(setting: Setting): void;
}

export interface PolicyReloadOptions {
  id: string;
  /** The configuration in use. */
  config: CoordinatorConfig;
  /** Reads the file; throws a ConfigError that has a line for every fault. */
  load: () => Promise<CoordinatorConfig>;
  jailSettings: Pick<JailSettings, "list">;
  /** Resolves when the policy is in use. */
  replace: (policy: Policy) => Promise<void>;
  /** The policy in use. */
  inUse: () => Policy | undefined;
  settings: Pick<Settings, "write">;
  /** Hears of the faults of the file; none: it is accepted. */
  refused: Pick<RefusedPolicies, "noteOwn">;
  /** Milliseconds to wait for that. */
  patienceMs: number;
  now: () => number;
  log: Log;
}

/** What a reload replaces; everything else needs a restart. */
const RELOADED: readonly string[] = ["jails", "allowlist", "guard", "dbpurgeage"];

export function createPolicyReload(options: PolicyReloadOptions): PolicyReload {
  const { id, load, replace, inUse, jailSettings, settings, refused, now, log } = options;
  const started = options.config;
  let accepted = options.config;
  let wanted = policyOf(accepted, jailSettings.list());
  let working: Promise<unknown> = Promise.resolve();
  /** When the last command was given that the bucket has shown. */
  let seenAt: number | undefined;

  async function reload(by: string, coordinators: "this" | "every" | "recorded") {
    const read = await readFile(load);
    if (!read.config) {
      const { faults } = read;
      refused.noteOwn(faults);
      log.error({ faults }, "coordinator.yaml is refused, the policy in use stays");
      return { faults, changes: [], needRestart: [], isInUse: false };
    }
    refused.noteOwn([]);
    const { config } = read;
    const changes = changesOf(accepted, config);
    const needRestart = Object.keys(config).filter(
      (name) => !RELOADED.includes(name) && differs(started, config, name),
    );
    const policy = policyOf(config, jailSettings.list());
    const policyVersion = policy.version;
    const isForAll = coordinators === "every";
    if (coordinators !== "recorded") await record(by, changes, policyVersion, isForAll);
    log.info({ by, changes, needRestart, policyVersion }, "coordinator.yaml is read again");
    accepted = config;
    const isInUse = changes.length === 0 || (await isUsed(policy));
    return { faults: [], changes, needRestart, isInUse, policyVersion };
  }

  async function record(
    by: string,
    changes: readonly string[],
    policyVersion: string,
    isForAll: boolean,
  ) {
    const at = now();
    seenAt = at;
    const detail = shorten(changes.length === 0 ? "nothing is changed" : changes.join("; "));
    const entry = { v: 1, by, at, coordinator: id, isForAll, detail, policyVersion } as const;
    await settings.write(RELOAD_KEY, encodeReload(entry), () => false);
  }

  /** Waits until the policy is in use, but not for ever; the policy is used all the same. */
  async function isUsed(policy: Policy): Promise<boolean> {
    wanted = policy;
    const replaced = replace(policy).then(() => {
      log.info({ jails: policy.jails.map(({ name }) => name) }, "the new policy is in use");
      return true;
    });
    const late = sleep(options.patienceMs, false, { ref: false });
    return Promise.race([replaced, late]);
  }

  async function applySettings(): Promise<boolean> {
    const policy = policyOf(accepted, jailSettings.list());
    if (isSame(policy, wanted)) return inUse() === wanted;
    log.info({ policyVersion: policy.version }, "what operators have set of jails has changed");
    return isUsed(policy);
  }

  /** One after the other, however many are asked for at once. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = working.then(work);
    working = done.catch(() => {});
    return done;
  }

  /** For a reload that nobody waits for. */
  function tryReload(by: string, coordinators: "this" | "recorded"): Promise<unknown> {
    return inTurn(() => reload(by, coordinators)).catch((error: unknown) => {
      log.error({ reason: reasonOf(error) }, "coordinator.yaml cannot be read again");
    });
  }

  return {
    policy: () => wanted,
    config: () => accepted,
    apply: () => inTurn(applySettings),
    settingsChanged() {
      inTurn(applySettings).catch((error: unknown) => {
        log.error({ reason: reasonOf(error) }, "what operators have set of jails is not applied");
      });
    },
    reload: (by, coordinators) => inTurn(() => reload(by, coordinators)),
    hangUp: () => void tryReload("config", "this"),
    noteSetting(setting) {
      if (setting.type !== "reload" || setting.reload.at === seenAt) return;
      const { at, by, coordinator, isForAll } = setting.reload;
      seenAt = at;
      if (!isForAll || coordinator === id) return;
      void tryReload(by, "recorded");
    },
  };
}

/** Of policies of one file: have operators set the same? */
const isSame = (a: Policy, b: Policy): boolean =>
  isDeepStrictEqual([a.published, a.idle], [b.published, b.idle]);

type Read = { config: CoordinatorConfig } | { config: undefined; faults: readonly string[] };

async function readFile(load: () => Promise<CoordinatorConfig>): Promise<Read> {
  try {
    return { config: await load() };
  } catch (error) {
    if (!(error instanceof PlainError) || error.exitCode !== EXIT.config) throw error;
    return { config: undefined, faults: error.message.split("\n") };
  }
}

function changesOf(before: CoordinatorConfig, after: CoordinatorConfig): string[] {
  const old = new Map(jailsOf(before).map((jail) => [jail.name, jail]));
  const present = new Map(jailsOf(after).map((jail) => [jail.name, jail]));
  return [
    ...[...present].flatMap(([name, jail]) => {
      const known = old.get(name);
      if (isDeepStrictEqual(known, jail)) return [];
      return [`jail ${name} is ${known ? "changed" : "new"}`];
    }),
    ...[...old.keys()].flatMap((name) => (present.has(name) ? [] : [`jail ${name} is gone`])),
    ...RELOADED.filter((name) => name !== "jails" && differs(before, after, name)).map(
      (name) => `${name} is changed`,
    ),
  ];
}

function differs(a: CoordinatorConfig, b: CoordinatorConfig, name: string): boolean {
  const valueOf = (config: CoordinatorConfig) => new Map<string, unknown>(Object.entries(config));
  return !isDeepStrictEqual(valueOf(a).get(name), valueOf(b).get(name));
}

/** At most as long as the wire carries. */
const shorten = (text: string) => (text.length <= 256 ? text : `${text.slice(0, 255)}…`);
