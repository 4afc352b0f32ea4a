/**
 * Bans that must be written again: bans in force that somebody who is no coordinator has deleted or
 * overwritten (coordinators delete only bans that are over), and bans that NATS has lost.
 */
import type { MirrorEvent } from "../../nats/bucket-mirror.ts";
import { isSpared } from "../../policy/spared-ban.ts";
import type { Log } from "../../process/log.ts";
import { isDue, type Ban } from "../../wire/ban.ts";

export class TamperedBans {
  readonly #log: Log;
  readonly #tampered = new Map<string, Ban>();
  /**
   * While the bucket is read, older states of an entry come first, and a coordinator may have
   * written the ban again long ago. So these are the keys whose last state so far is of an
   * unauthorized writer, and why.
   */
  readonly #suspects = new Map<string, string>();
  #isReading = true;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Every event of the bucket, in order. */
  note(event: MirrorEvent<Ban>): void {
    switch (event.type) {
      case "loading":
        this.#isReading = true;
        this.#suspects.clear();
        return;
      case "live":
        this.#isReading = false;
        for (const [key, reason] of this.#suspects) this.#complain(key, reason);
        this.#suspects.clear();
        return;
      case "put":
        this.#suspects.delete(event.key);
        this.#noteWritten(event.key, event.value);
        return;
      case "deleted":
        if (event.previous && isOfWeight(event.previous, Date.now())) {
          this.#noteTampered(event.key, event.previous, "deleted");
        }
        return;
      case "unreadable":
        this.#noteTampered(event.key, event.previous, event.reason);
        return;
      case "rolled-back":
        // NATS loses what it has just stored when its machine loses power, or all that it has.
        if (event.isSameBucket || doesMatter(event.previous)) {
          this.#tampered.set(event.key, event.previous);
        }
        return;
    }
  }

  /** Those since the last call. */
  take(): Ban[] {
    const taken = [...this.#tampered.values()];
    this.#tampered.clear();
    return taken;
  }

  #noteWritten(key: string, ban: Ban): void {
    const missing = this.#tampered.get(key);
    if (missing && missing.changedAt <= ban.changedAt) this.#tampered.delete(key);
  }

  #noteTampered(key: string, previous: Ban | undefined, reason: string): void {
    if (previous) this.#tampered.set(key, previous);
    if (this.#isReading) this.#suspects.set(key, reason);
    else this.#complain(key, reason);
  }

  #complain(key: string, reason: string): void {
    this.#log.error({ key, reason }, "ban was modified by an unauthorized writer");
  }
}

/** Is it in force, or could it be again by itself or by a command? */
const isOfWeight = (ban: Ban, now: number) => isDue(ban, now) || isSpared(ban, now);

/** PostgreSQL has the history of bans that are over. */
function doesMatter(ban: Ban): boolean {
  const now = Date.now();
  return isOfWeight(ban, now) || (ban.state === "lifted" && (ban.immuneUntil ?? 0) > now);
}
