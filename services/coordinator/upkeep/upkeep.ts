/**
 * What the coordinator that decides does besides deciding: it publishes the
 * settings, brings back what a wiped NATS has lost, refuses second agents of one name, and
 * lets bans run out.
 */
import { reasonOf } from "../../process/reason.ts";
import { createComplaint } from "../../process/retry.ts";
import type { Log } from "../../process/log.ts";
import type { DuplicateNotice } from "../../wire/settings.ts";
import type { BanStore } from "../buckets/ban-store.ts";
import type { Quarantines } from "../buckets/quarantines.ts";
import type { NewChange } from "../../policy/ban-memory.ts";
import { endOfPause, type JailPauses } from "../../policy/jail-pause.ts";
import { jailPauseKey } from "../../wire/subjects.ts";
import type { JailSettings } from "../buckets/jail-settings.ts";
import { expireBans } from "./expire-bans.ts";
import { Restoring, type RestoringOptions } from "./restore-bans.ts";
import type { History } from "../history/history.ts";
import type { BrokenHosts } from "../hosts/broken-logins.ts";
import type { Hosts } from "../hosts/hosts.ts";
import type { OwnMachines } from "../hosts/own-machines.ts";
import type { Settings } from "../buckets/settings-store.ts";
import type { EndedDrills } from "./ended-drills.ts";
import type { AllowedBans } from "./allowed-bans.ts";
import type { AllowedNames } from "./allowed-names.ts";
import { PolicyPublisher, type PublishedPolicy } from "./policy-publisher.ts";

export interface UpkeepOptions {
  bans: BanStore;
  settings: Settings;
  hosts: Pick<Hosts, "get" | "refused">;
  /** Options of jails that operators have set for a time. */
  jailSettings: Pick<JailSettings, "endOld">;
  pauses: Pick<JailPauses, "list" | "of" | "changes">;
  /** Milliseconds for which failures are read again. */
  horizon: () => number;
  history: Pick<History, "recordedRevision" | "stalled" | "takeRolledBack"> &
    RestoringOptions["history"];
  isLeader: () => boolean;
  /** What the configuration says now. */
  policy: () => PublishedPolicy;
  names: Pick<AllowedNames, "look" | "entries" | "keeps" | "changes">;
  machines: Pick<OwnMachines, "publishHosts">;
  brokenHosts: Pick<BrokenHosts, "publish">;
  quarantines: Pick<Quarantines, "forgetOld">;
  endedDrills: Pick<EndedDrills, "endOld">;
  allowedBans: Pick<AllowedBans, "settle">;
  newChange: NewChange;
  now: () => number;
  newId: () => string;
  log: Log;
}

export class Upkeep {
  readonly #options: UpkeepOptions;
  readonly #publisher: PolicyPublisher;
  readonly #restoring: Restoring;
  readonly #complaint: ReturnType<typeof createComplaint>;
  /** NATS has lost what is on record, and the record was not read since. */
  #isRolledBack = false;
  #running: Promise<void> | undefined;

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#publisher = new PolicyPublisher(options);
    this.#restoring = new Restoring(options);
    this.#complaint = createComplaint((reason) =>
      options.log.warn({ reason }, "upkeep failed, will retry"),
    );
  }

  /** One round, or what is left of the one that is under way; may be called at any time. */
  round(): Promise<void> {
    return (this.#running ??= this.#roundOrComplain().finally(() => (this.#running = undefined)));
  }

  async #roundOrComplain(): Promise<void> {
    try {
      await this.#round();
      this.#complaint.over();
    } catch (error) {
      // NATS or PostgreSQL is away; the next round tries again.
      this.#complaint.failed(reasonOf(error));
    }
  }

  async #round(): Promise<void> {
    const options = this.#options;
    const { bans, settings, isLeader, now, policy } = options;
    void options.names.look();
    const created = bans.created();
    if (!isLeader()) this.#publisher.forget(); // another coordinator may publish another policy
    if (!isLeader() || !bans.isReady() || created === null) return;
    await settings.ready;
    await this.#publisher.publishChanged(created);
    await this.#endAllowed();
    await options.jailSettings.endOld(settings, now());
    await this.#forgetOldPauses();
    await options.allowedBans.settle();
    await settings.refuse(duplicateNotices(options.hosts));
    await options.machines.publishHosts(settings);
    await options.brokenHosts.publish(settings);
    await options.quarantines.forgetOld(settings, now());
    await options.endedDrills.endOld({ ...options, jails: () => policy().jails });
    await this.#restoreLost(created);
    await expireBans({
      ...{ ...options, ...policy() },
      recordedRevision: () => options.history.recordedRevision(),
    });
  }

  /** Takes off the allowlist what was to be on it only for a time. */
  async #endAllowed(): Promise<void> {
    const { settings, now } = this.#options;
    for (const entry of settings.allowlist.list()) {
      const { until = Infinity } = entry;
      if (until <= now()) await settings.disallow(entry, "decider");
    }
  }

  /** Failures of these pauses are too old to be read again. */
  async #forgetOldPauses(): Promise<void> {
    const { settings, pauses, horizon, now } = this.#options;
    for (const [jail, pause] of pauses.list()) {
      const end = endOfPause(pause) ?? Infinity;
      if (end + horizon() < now()) await settings.erase(jailPauseKey(jail));
    }
  }

  async #restoreLost(created: string): Promise<void> {
    const { history, settings } = this.#options;
    await this.#restoring.restoreTampered();
    if (history.takeRolledBack()) {
      this.#isRolledBack = true;
      this.#restoring.startAgain();
    }
    if (settings.readyFor() === created && !this.#isRolledBack) return;
    if (await this.#restoring.restoreRecorded(created, this.#isRolledBack)) {
      this.#isRolledBack = false;
    }
  }
}

/** The notices that agents read, by host. */
function duplicateNotices(hosts: Pick<Hosts, "get" | "refused">): Map<string, DuplicateNotice> {
  const told = new Map<string, DuplicateNotice>();
  for (const [host, duplicateAgents] of hosts.refused()) {
    const holder = hosts.get(host);
    if (!holder) continue;
    const { addresses, startedAt } = holder.status;
    const instances = duplicateAgents.map(({ status }) => status.instance).slice(0, 16);
    told.set(host, { v: 1, instances, holder: { addresses, startedAt } });
  }
  return told;
}
