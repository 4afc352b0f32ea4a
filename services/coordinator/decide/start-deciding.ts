/** The lane from stored failures to bans: a decider for the policy in use, and what replaces it. */
import type { NatsConnection } from "@nats-io/nats-core";
import { createChanges, type NewChange } from "../../policy/ban-memory.ts";
import type { JailPauses } from "../../policy/jail-pause.ts";
import type { Log } from "../../process/log.ts";
import type { BanStore } from "../buckets/ban-store.ts";
import type { JailSettings } from "../buckets/jail-settings.ts";
import type { Quarantines } from "../buckets/quarantines.ts";
import type { Settings } from "../buckets/settings-store.ts";
import type { CoordinatorConfig } from "../coordinator-config.ts";
import type { FleetEvents } from "../buckets/fleet-events.ts";
import type { BrokenHosts } from "../hosts/broken-logins.ts";
import type { Hosts } from "../hosts/hosts.ts";
import type { OwnMachines } from "../hosts/own-machines.ts";
import type { UndecodableMessages } from "../hosts/undecodable-messages.ts";
import type { RefusedPolicies } from "../hosts/refused-policies.ts";
import { createBanGuard } from "./ban-guard.ts";
import { createDecider, type DeciderOptions } from "./decider.ts";
import { createDeciding, type Deciding } from "./deciding.ts";
import { startFailureFeed } from "./failure-feed.ts";
import { createKnownGood, type KnownGood } from "./known-good.ts";
import { createLogRollout, type LogRolloutOptions } from "./log-rollout.ts";
import { createMissedOffences, type MissedOffences } from "./missed-offences.ts";
import { horizonOf, type Policy } from "./policy.ts";
import type { PolicyInUse } from "./policy-in-use.ts";
import { createPolicyReload, type PolicyReload } from "./policy-reload.ts";
import type { Rates } from "./rates.ts";
import { createSparedOffences, type SparedOffences } from "./spared-offences.ts";

export interface DecidingLaneOptions {
  id: string;
  config: CoordinatorConfig;
  /** Reads the configuration again; throws a ConfigError. */
  loadConfig: () => Promise<CoordinatorConfig>;
  connection: NatsConnection;
  events: FleetEvents;
  policy: PolicyInUse;
  bans: BanStore;
  settings: Settings;
  hosts: Hosts;
  jailSettings: JailSettings;
  pauses: JailPauses;
  quarantines: Quarantines;
  machines: OwnMachines;
  brokenHosts: BrokenHosts;
  refused: RefusedPolicies;
  rates: Rates;
  /** Hears of messages that cannot be decoded. */
  undecodable: Pick<UndecodableMessages, "note">;
  /** Sees the failures that count. */
  watcher: NonNullable<DeciderOptions["watcher"]>;
  /** Another policy decides now. */
  onReplaced: (policy: Policy) => void;
  /** Measures how long bans take. */
  measure: LogRolloutOptions["measure"];
  isLeader: () => boolean;
  now: () => number;
  newId: () => string;
  log: Log;
}

export interface DecidingLane {
  deciding: Deciding;
  reload: PolicyReload;
  /** Names a change of a ban, and says what it remembers, by the policy in use. */
  newChange: NewChange;
  knownGood: KnownGood;
  missed: MissedOffences;
  spared: SparedOffences;
}

/** The CLI waits for an answer twice as long. */
const RELOAD_ANSWERED_WITHIN_MS = 5_000;

/** To be called when bans and settings are read. */
export function startDeciding(options: DecidingLaneOptions): DecidingLane {
  const { id, config, connection, events, policy, bans, settings, hosts } = options;
  const { jailSettings, refused, measure, now, newId, log } = options;
  const changesBy = ({ jails, memory, version }: Policy) =>
    createChanges({ jails, bans, memory, policyVersion: version, now, newId });
  const newChange: NewChange = (jail, address) => changesBy(policy.current())(jail, address);
  const isQuarantined = (host: string) => options.quarantines.of(host) !== undefined;
  const missed = createMissedOffences(now);
  const spared = createSparedOffences({ ...options, allowlist: settings.allowlist });
  const knownGood = createKnownGood({
    ...{ connection, replicas: config.replicas, isQuarantined, now, log },
  });
  const guard = createBanGuard({
    limits: () => policy.current().guard,
    isQuarantined,
    distrust: (host) =>
      policy.current().guard.outages ? options.brokenHosts.whyDistrusted(host) : undefined,
    now,
  });
  const jailOf = (name: string) => policy.current().jails.find((jail) => jail.name === name);
  const onBanned = createLogRollout({ bans, jailOf, hosts, now, log, measure });
  const reload = createPolicyReload({
    ...{ id, config, settings, refused, jailSettings, now, log },
    load: options.loadConfig,
    replace: (wanted) => deciding.replace(wanted),
    inUse: () => policy.current(),
    patienceMs: RELOAD_ANSWERED_WITHIN_MS,
  });
  const deciding = createDeciding({
    policy: reload.policy(),
    create: (decided, isInUse) =>
      createDecider({
        ...options,
        ...onlyInUse(isInUse, { ...options, missed, spared }),
        ...{ guard, onBanned, jails: decided.jails, newChange: changesBy(decided) },
        hasLoggedIn: knownGood.hasLoggedIn,
      }),
    startFeed(followed, take) {
      const loginsRead = knownGood.follow(followed.jails);
      const prepare = () => loginsRead;
      return startFailureFeed({ connection, horizon: horizonOf(followed), take, prepare, log });
    },
    onReplaced(replaced) {
      policy.replace(replaced);
      options.onReplaced(replaced);
    },
  });
  policy.replace(deciding.policy());
  events.ban.add((ban) => deciding.observe(ban));
  events.quarantined.add((host) => deciding.forgetHost(host));
  events.leaseTaken.add(() => deciding.submitDue());
  events.setting.add((_, setting) => {
    if (setting) reload.noteSetting(setting);
  });
  events.jailSettings.add(() => reload.settingsChanged());
  return { deciding, reload, newChange, knownGood, missed, spared };
}

/** What a decider finds in the past before it is in use is decided, shown and counted by nobody. */
function onlyInUse(
  isInUse: () => boolean,
  parts: Pick<DecidingLaneOptions, "isLeader" | "watcher" | "rates" | "undecodable"> &
    Pick<DecidingLane, "missed" | "spared">,
): Pick<
  DeciderOptions,
  "isLeader" | "watcher" | "onCounted" | "onUndecodable" | "missed" | "spared"
> {
  const { isLeader, watcher, rates, undecodable, missed, spared } = parts;
  return {
    isLeader: () => isInUse() && isLeader(),
    watcher: { isWatching: () => isInUse() && watcher.isWatching(), note: watcher.note },
    onCounted: (attempts, storedAt) => isInUse() && rates.noteFailures(attempts, storedAt),
    missed: { note: (due) => isInUse() && missed.note(due) },
    onUndecodable: (subject, reason) => {
      if (isInUse()) undecodable.note({ subject, what: "failures" }, reason);
    },
    spared: {
      isSpared: spared.isSpared,
      spares: (address, jail) =>
        isInUse() ? spared.spares(address, jail) : spared.isSpared(address, jail),
    },
  };
}
