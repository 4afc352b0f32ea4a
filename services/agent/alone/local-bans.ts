/** Local bans: puts them into force on this host, and ends them when the fleet has decided. */
import type { Log } from "../../process/log.ts";
import type { SignOfLife } from "../../wire/settings.ts";
import type { DecidedBans, FleetState, Progress } from "./decided-bans.ts";
import type { LocalDecision } from "./local-count.ts";

export interface LocalBansOptions {
  decided: DecidedBans;
  progress: () => Progress;
  /** Puts the ban into force, in this host's kernel alone. */
  ban: (decision: LocalDecision) => void;
  /** Takes it back; a ban of the fleet stays. */
  unban: (decision: LocalDecision) => void;
  onChange: () => void;
  now: () => number;
  log: Log;
}

export class LocalBans {
  readonly #options: LocalBansOptions;
  /** Whether the log says already that there is no room for more. */
  #isFullSaid = false;

  constructor(options: LocalBansOptions) {
    this.#options = options;
  }

  give(decision: LocalDecision): void {
    const { decided, ban, onChange, log } = this.#options;
    const { jail, address, until } = decision;
    if (!decided.add(decision)) {
      if (!this.#isFullSaid) log.error({ bans: decided.size }, "no room for more local bans");
      this.#isFullSaid = true;
      return;
    }
    ban(decision);
    const end = until === null ? "for ever" : new Date(until).toISOString();
    log.warn({ jail, address, until: end }, "banned by this host alone");
    onChange();
  }

  /** Bans that were given before a restart of the agent. */
  restore(bans: readonly LocalDecision[]): void {
    const { decided, ban } = this.#options;
    for (const decision of bans) if (decided.add(decision)) ban(decision);
    this.endOver();
  }

  /** No more bans are given: a coordinator decides again. */
  noteInTouch(): void {
    this.#isFullSaid = false;
  }

  /** The leader says how far it has decided: whom the fleet has not banned until then, it does not ban. */
  noteSign(sign: SignOfLife): void {
    const { decided, progress } = this.#options;
    if (decided.size === 0) return;
    const ended = decided.takeDecided(sign, progress());
    this.#endAll(ended, "the fleet does not ban what this host has banned alone");
  }

  /** The fleet's ban has a new state; `isHere`: it is in force on this host. */
  noteFleetBan(ban: FleetState, isHere: boolean): void {
    const { decided, unban, onChange, log } = this.#options;
    if (!decided.observe(ban, isHere)) return;
    unban({ ...ban, at: 0, until: null });
    log.info({ jail: ban.jail, address: ban.address }, "the fleet has decided about a local ban");
    onChange();
  }

  /** Ends bans whose time is over. */
  endOver(): void {
    const { decided, now } = this.#options;
    if (decided.size > 0) this.#endAll(decided.takeOver(now()), "the time of local bans is over");
  }

  #endAll(ended: readonly LocalDecision[], why: string): void {
    if (ended.length === 0) return;
    const { decided, unban, onChange, log } = this.#options;
    for (const decision of ended) unban(decision);
    log.info({ bans: ended.length, left: decided.size }, why);
    onChange();
  }
}
