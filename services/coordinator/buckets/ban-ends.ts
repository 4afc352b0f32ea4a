/**
 * Bans in the order in which time alone changes something: those that are not over by their end, and
 * those that have ended by the instant since when they are at rest. There may be a million, and the
 * coordinator that decides asks every second.
 */
import type { Ban } from "../../wire/ban.ts";
import { isEnded, restsSince } from "../../policy/ban-lifecycle.ts";
import { SortedList } from "./sorted-list.ts";

export class BanEnds {
  /** A ban for ever is not among them. */
  readonly #due = sortedBy(untilOf);
  /** By jail, because each jail remembers its bans for another time. */
  readonly #ended = new Map<string, SortedList<Ban>>();

  add(ban: Ban): void {
    this.#listOf(ban)?.add(ban);
  }

  remove(ban: Ban): void {
    this.#listOf(ban)?.delete(ban);
  }

  /** Bans that nobody has marked as expired though their time was over at `now`, the oldest end first. */
  *overdueAt(now: number): Generator<Ban> {
    for (const bans of this.#due.behind(undefined)) {
      for (const ban of bans) {
        if (untilOf(ban) > now) return;
        yield ban;
      }
    }
  }

  /** Bans that have ended and are at rest since an instant before that of their jail. */
  *atRestBefore(instantOf: (jail: string) => number): Generator<Ban> {
    for (const [jail, list] of this.#ended) {
      const before = instantOf(jail);
      for (const bans of list.behind(undefined)) {
        const atRest = bans.filter((ban) => restsSince(ban) < before);
        yield* atRest;
        if (atRest.length < bans.length) break;
      }
    }
  }

  /** undefined: time alone changes nothing about the ban. */
  #listOf(ban: Ban): SortedList<Ban> | undefined {
    const isForEver = ban.until === null;
    if (!isEnded(ban)) return isForEver ? undefined : this.#due;
    // A ban that the allowlist has lifted comes back when no entry covers it any more.
    if (ban.state === "lifted" && ban.spared && isForEver) return undefined;
    const present = this.#ended.get(ban.jail);
    if (present) return present;
    const list = sortedBy(restsSince);
    this.#ended.set(ban.jail, list);
    return list;
  }
}

const untilOf = ({ until }: Ban): number => until ?? Infinity;

/** Bans of the same instant are in the order of their names, so that each of them is found. */
function sortedBy(instantOf: (ban: Ban) => number): SortedList<Ban> {
  return new SortedList((a, b) => {
    const difference = instantOf(a) - instantOf(b);
    if (difference !== 0) return difference < 0;
    return a.jail === b.jail ? a.address < b.address : a.jail < b.jail;
  });
}
