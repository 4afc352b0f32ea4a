/**
 * Reads coordinator.yaml again, on SIGHUP and on `fleetban jail reload`. A file with any fault is
 * refused as a whole, and the policy in use stays. What a reload cannot replace is named.
 *
 * An operator's command stands in the settings bucket. So it is on record, and every other
 * coordinator reads the file of its own machine again, too.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { Log } from "../../process/log.ts";
import { reasonOf } from "../../process/reason.ts";
import { encodeReload, type Setting } from "../../wire/settings.ts";
import { RELOAD_KEY } from "../../wire/subjects.ts";
import type { Settings } from "../buckets/settings-store.ts";
import type { RefusedPolicies } from "../hosts/refused-policies.ts";
import type { CoordinatorConfig } from "../coordinator-config.ts";
import type { JailSettings } from "../buckets/jail-settings.ts";
import { policyOf, type Policy } from "./policy.ts";
import { changesOf, optionsForRestart, readConfig } from "./reloaded-config.ts";

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

export function createPolicyReload(options: PolicyReloadOptions): PolicyReload {
  const reloads = new PolicyReloads(options);
  return {
    policy: () => reloads.wanted,
    config: () => reloads.accepted,
    apply: () => reloads.apply(),
    settingsChanged: () => reloads.settingsChanged(),
    reload: (by, coordinators) => reloads.reload(by, coordinators),
    hangUp: () => reloads.tryReload("config", "this"),
    noteSetting: (setting) => reloads.noteSetting(setting),
  };
}

/** "recorded": the command stands in the settings bucket already. */
type Coordinators = "this" | "every" | "recorded";

class PolicyReloads {
  readonly #options: PolicyReloadOptions;
  /** The last file without faults. */
  accepted: CoordinatorConfig;
  /** What is to decide: `accepted`, and what operators have set. */
  wanted: Policy;
  /** Reloads run one after the other, however many are asked for at once. */
  #working: Promise<unknown> = Promise.resolve();
  /** When the last command was given that the bucket has shown. */
  #seenAt: number | undefined;

  constructor(options: PolicyReloadOptions) {
    this.#options = options;
    this.accepted = options.config;
    this.wanted = policyOf(options.config, options.jailSettings.list());
  }

  apply(): Promise<boolean> {
    return this.#inTurn(() => this.#applySettings());
  }

  settingsChanged(): void {
    this.apply().catch((error: unknown) => {
      const reason = reasonOf(error);
      this.#options.log.error({ reason }, "what operators have set of jails is not applied");
    });
  }

  reload(by: string, coordinators: Coordinators): Promise<Reloaded> {
    return this.#inTurn(() => this.#reload(by, coordinators));
  }

  /** For a reload that nobody waits for. */
  tryReload(by: string, coordinators: Coordinators): void {
    this.reload(by, coordinators).catch((error: unknown) => {
      const reason = reasonOf(error);
      this.#options.log.error({ reason }, "coordinator.yaml cannot be read again");
    });
  }

  noteSetting(setting: Setting): void {
    if (setting.type !== "reload" || setting.reload.at === this.#seenAt) return;
    const { at, by, coordinator, isForAll } = setting.reload;
    this.#seenAt = at;
    if (isForAll && coordinator !== this.#options.id) this.tryReload(by, "recorded");
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#working.then(work);
    this.#working = done.catch(() => {});
    return done;
  }

  async #reload(by: string, coordinators: Coordinators): Promise<Reloaded> {
    const { load, jailSettings, refused, log } = this.#options;
    const read = await readConfig(load);
    if (!read.config) {
      const { faults } = read;
      refused.noteOwn(faults);
      log.error({ faults }, "coordinator.yaml is refused, the policy in use stays");
      return { faults, changes: [], needRestart: [], isInUse: false };
    }
    refused.noteOwn([]);
    const { config } = read;
    const changes = changesOf(this.accepted, config);
    const needRestart = optionsForRestart(this.#options.config, config);
    const policy = policyOf(config, jailSettings.list());
    const policyVersion = policy.version;
    if (coordinators !== "recorded") {
      await this.#record(by, changes, { policyVersion, isForAll: coordinators === "every" });
    }
    log.info({ by, changes, policyVersion }, "coordinator.yaml is read again");
    if (needRestart.length > 0) {
      log.warn({ needRestart }, "these parts of coordinator.yaml count after a restart");
    }
    this.accepted = config;
    const isInUse = changes.length === 0 || (await this.#use(policy));
    return { faults: [], changes, needRestart, isInUse, policyVersion };
  }

  /** Writes the command into the settings bucket. */
  async #record(
    by: string,
    changes: readonly string[],
    facts: { policyVersion: string; isForAll: boolean },
  ): Promise<void> {
    const { id: coordinator, settings, now } = this.#options;
    const at = now();
    this.#seenAt = at;
    const detail = shorten(changes.length === 0 ? "nothing is changed" : changes.join("; "));
    const entry = { v: 1, by, at, coordinator, detail, ...facts } as const;
    await settings.write(RELOAD_KEY, encodeReload(entry), () => false);
  }

  async #applySettings(): Promise<boolean> {
    const { jailSettings, inUse, log } = this.#options;
    const policy = policyOf(this.accepted, jailSettings.list());
    if (isSame(policy, this.wanted)) return inUse() === this.wanted;
    log.info({ policyVersion: policy.version }, "what operators have set of jails has changed");
    return this.#use(policy);
  }

  /** Waits until the policy is in use, but not for ever; the policy is used all the same. */
  async #use(policy: Policy): Promise<boolean> {
    const { replace, patienceMs, log } = this.#options;
    this.wanted = policy;
    const replaced = replace(policy).then(() => {
      log.info({ jails: policy.jails.map(({ name }) => name) }, "the new policy is in use");
      return true;
    });
    return Promise.race([replaced, sleep(patienceMs, false, { ref: false })]);
  }
}

/** Of policies of one file: have operators set the same? */
const isSame = (a: Policy, b: Policy): boolean =>
  isDeepStrictEqual([a.published, a.idle], [b.published, b.idle]);

/** At most as long as the wire carries. */
const shorten = (text: string) => (text.length <= 256 ? text : `${text.slice(0, 255)}…`);
