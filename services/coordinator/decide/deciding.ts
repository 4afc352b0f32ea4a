/**
 * The decider that is in use, and the one that is to take its place after a reload.
 *
 * A new policy may count other failures, over another time, by another prefix. So no window is
 * carried over: a second decider with the new policy folds the stream of failures from the
 * beginning. The first one goes on deciding until the second one has caught up. No failure is
 * missed between them, because each reads the whole stream for itself, and a ban that both decide
 * is written once.
 */
import type { Ban } from "../../wire/ban.ts";
import type { Decider } from "./decider.ts";
import { CountersOverReloads } from "./counters-over-reloads.ts";
import type { FailureFeed } from "./failure-feed.ts";
import type { Policy } from "./policy.ts";

export interface DecidingOptions {
  policy: Policy;
  /** `isInUse`: may what this decider decides be written now, and counted? */
  create: (policy: Policy, isInUse: () => boolean) => Decider;
  startFeed: (policy: Policy, take: Decider["take"]) => FailureFeed;
  /** Another policy is in use from now on. */
  onReplaced: (policy: Policy) => void;
}

export interface Deciding extends Omit<Decider, "take"> {
  policy(): Policy;
  /** Every failure that was stored when the decider in use began is counted. */
  isCaughtUp(): boolean;
  /** The sequence of the last message that it has taken; undefined: not caught up yet. */
  takenUpTo(): number | undefined;
  /**
   * Decides by `policy` as soon as every failure is counted by it; resolves then. It never resolves
   * if another policy replaces this one before.
   */
  replace(policy: Policy): Promise<void>;
}

interface Running {
  policy: Policy;
  decider: Decider;
  feed: FailureFeed;
  role: Role;
}

interface Role {
  isInUse: boolean;
}

export function createDeciding(options: DecidingOptions): Deciding {
  const { create, startFeed, onReplaced } = options;
  let inUse = start(options.policy, { isInUse: true });
  /** Counts, and decides nothing yet; undefined: no reload is under way. */
  let next: Running | undefined;
  const counters = new CountersOverReloads(() => inUse.decider.counters);

  function start(policy: Policy, role: Role): Running {
    const decider = create(policy, () => role.isInUse);
    return { policy, decider, feed: startFeed(policy, decider.take), role };
  }

  function use(running: Running): void {
    const old = inUse;
    counters.replace(old.decider.counters, running.decider.counters);
    old.role.isInUse = false;
    running.role.isInUse = true;
    inUse = running;
    next = undefined;
    old.feed.stop();
    onReplaced(running.policy);
    running.decider.submitDue();
  }

  const both = () => (next ? [inUse, next] : [inUse]).map(({ decider }) => decider);

  return {
    policy: () => inUse.policy,
    isCaughtUp: () => inUse.feed.isCaughtUp(),
    takenUpTo: () => inUse.feed.takenUpTo(),
    async replace(policy) {
      next?.feed.stop();
      const running = start(policy, { isInUse: false });
      next = running;
      await running.feed.caughtUp;
      if (next === running) use(running);
      else await new Promise<never>(() => {});
    },
    observe(ban: Ban) {
      for (const decider of both()) decider.observe(ban);
    },
    forgetHost(host) {
      for (const decider of both()) decider.forgetHost(host);
    },
    submitDue: () => inUse.decider.submitDue(),
    sweep() {
      for (const decider of both()) decider.sweep();
    },
    counters,
  };
}
