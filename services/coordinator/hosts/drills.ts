/** Drills that are under way: how far each has come, by what this coordinator hears. */
import { performance } from "node:perf_hooks";
import type { Address } from "../../wire/address.ts";
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

export function createDrills(): Drills {
  const following = new Set<DrillUnderWay>();
  return {
    isWatching: () => following.size > 0,
    note({ host, jail, failure }) {
      for (const one of following) one.noteFailure({ host, jail, address: failure.address });
    },
    noteBan(ban) {
      for (const one of following) one.noteBan(ban);
    },
    noteStatus(status) {
      for (const one of following) one.noteStatus(status);
    },
    follow(host, drill, banned) {
      const one = new DrillUnderWay(host, drill, banKey(drill.jail, banned));
      following.add(one);
      return {
        progress: one.progress,
        until: (read, deadline) => one.until(read, deadline),
        end: () => void following.delete(one),
      };
    },
  };
}

class DrillUnderWay {
  readonly #host: string;
  readonly #drill: Drill;
  /** Of the ban that the drill brings. */
  readonly #banKey: string;
  readonly progress: DrillProgress = {
    ...{ report: undefined, attemptedAt: undefined, readAt: undefined },
    ...{ countedAt: undefined, decided: undefined },
  };
  /** Somebody waits for progress. */
  #wake = () => {};

  constructor(host: string, drill: Drill, ofBan: string) {
    this.#host = host;
    this.#drill = drill;
    this.#banKey = ofBan;
  }

  noteFailure({ host, jail, address }: { host: string; jail: string; address: Address }): void {
    const isOfHost = host === this.#host && jail === this.#drill.jail;
    const isIts = isOfHost && address === this.#drill.address;
    if (isIts && this.progress.countedAt === undefined) {
      this.#note({ countedAt: performance.now() });
    }
  }

  noteBan(ban: Ban): void {
    const isIts = banKey(ban.jail, ban.address) === this.#banKey && ban.state !== "lifted";
    if (isIts && !this.progress.decided) this.#note({ decided: { ban, at: performance.now() } });
  }

  noteStatus({ host, drill: report, sentAt }: HostStatus): void {
    if (host !== this.#host || report?.id !== this.#drill.id) return;
    // The host's clock may be wrong: only how long ago something was when it was sent counts.
    const here = (at: number | undefined) =>
      at === undefined ? undefined : performance.now() - Math.max(sentAt - at, 0);
    const { attemptedAt = here(report.attemptedAt), readAt = here(report.readAt) } = this.progress;
    this.#note({ report, attemptedAt, readAt });
  }

  async until<T>(
    read: (progress: DrillProgress) => T | undefined,
    deadline: number,
  ): Promise<T | undefined> {
    for (;;) {
      const found = read(this.progress);
      const leftMs = deadline - performance.now();
      if (found !== undefined || leftMs <= 0) return found;
      await this.#untilProgress(leftMs);
    }
  }

  #note(progress: Partial<DrillProgress>): void {
    Object.assign(this.progress, progress);
    this.#wake();
  }

  #untilProgress(mostMs: number): Promise<void> {
    return new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, mostMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
