/** Drills that are under way: how far each has come, by what this coordinator hears. */
import { performance } from "node:perf_hooks";
import { banKey } from "../../wire/subjects.ts";
import type { Ban } from "../../wire/ban.ts";
import type { Drill, DrillReport } from "../../wire/drill.ts";
import type { HostStatus } from "../../wire/status.ts";
import type { FailureWatcher } from "../decide/failure-watch.ts";

/** Instants are those of performance.now. */
export interface DrillProgress {
  report: DrillReport | undefined;
  attemptedAt: number | undefined;
  readAt: number | undefined;
  countedAt: number | undefined;
  decided: { ban: Ban; at: number } | undefined;
}

export interface FollowedDrill {
  readonly progress: Readonly<DrillProgress>;
  /** Waits until `read` gives something, at most until `deadline` (performance.now). */
  until<T>(
    read: (progress: DrillProgress) => T | undefined,
    deadline: number,
  ): Promise<T | undefined>;
  end(): void;
}

export interface Drills extends FailureWatcher {
  /** `banned`: what the ban is of, the drill's address or its network. */
  follow(host: string, drill: Drill, banned: Ban["address"]): FollowedDrill;
  noteStatus(status: HostStatus): void;
  noteBan(ban: Ban): void;
}

interface Following {
  host: string;
  drill: Drill;
  key: string;
  progress: DrillProgress;
  wake: () => void;
}

export function createDrills(): Drills {
  const following = new Set<Following>();

  function note(one: Following, progress: Partial<DrillProgress>): void {
    Object.assign(one.progress, progress);
    one.wake();
  }

  return {
    isWatching: () => following.size > 0,
    note({ host, jail, failure }) {
      for (const one of following) {
        const isOfHost = one.host === host && one.drill.jail === jail;
        const isIts = isOfHost && one.drill.address === failure.address;
        if (isIts && one.progress.countedAt === undefined) {
          note(one, { countedAt: performance.now() });
        }
      }
    },
    noteBan(ban) {
      for (const one of following) {
        const isIts = one.key === banKey(ban.jail, ban.address) && ban.state !== "lifted";
        if (isIts && !one.progress.decided) note(one, { decided: { ban, at: performance.now() } });
      }
    },
    noteStatus({ host, drill: report, sentAt }) {
      for (const one of following) {
        if (one.host !== host || report?.id !== one.drill.id) continue;
        // The host's clock may be wrong: only how long ago something was when it was sent counts.
        const here = (at: number | undefined) =>
          at === undefined ? undefined : performance.now() - Math.max(sentAt - at, 0);
        const { attemptedAt = here(report.attemptedAt), readAt = here(report.readAt) } =
          one.progress;
        note(one, { report, attemptedAt, readAt });
      }
    },
    follow(host, drill, banned) {
      const one: Following = {
        ...{ host, drill, key: banKey(drill.jail, banned), wake: () => {} },
        progress: {
          ...{ report: undefined, attemptedAt: undefined, readAt: undefined },
          ...{ countedAt: undefined, decided: undefined },
        },
      };
      following.add(one);
      return {
        progress: one.progress,
        async until(read, deadline) {
          for (;;) {
            const found = read(one.progress);
            const leftMs = deadline - performance.now();
            if (found !== undefined || leftMs <= 0) return found;
            await new Promise<void>((resolve) => {
              const timer = setTimeout(resolve, leftMs);
              one.wake = () => {
                clearTimeout(timer);
                resolve();
              };
            });
          }
        },
        end: () => void following.delete(one),
      };
    },
  };
}
