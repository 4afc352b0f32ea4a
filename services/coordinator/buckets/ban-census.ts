/**
 * How many bans are active, held and in shadow, by jail, without looking at all of them: there may be a
 * million. Bans are counted by the second in which they end, so time alone changes no number here.
 */
import type { Ban } from "../../wire/ban.ts";

export const DUE_STATES = ["active", "held", "shadow"] as const;
export type DueState = (typeof DUE_STATES)[number];

/** Bans of one state and jail. */
interface Group {
  state: DueState;
  jail: string;
  /** Bans without an end. */
  forEver: number;
  /** Bans by the hour of their end, and how many there are in each second of the hour. */
  hours: Map<number, { count: number; seconds: Map<number, number> }>;
}

export interface CountedBans {
  state: DueState;
  jail: string;
  count: number;
}

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;

export class BanCensus {
  readonly #groups = new Map<string, Group>();

  add(ban: Ban): void {
    this.#count(ban, 1);
  }

  remove(ban: Ban): void {
    this.#count(ban, -1);
  }

  /** Bans whose time is not over at `now`, to a second. */
  countDue(now: number): CountedBans[] {
    return [...this.#groups.values()].map(({ state, jail, forEver, hours }) => {
      const thisHour = Math.floor(now / HOUR_MS);
      let count = forEver;
      for (const [hour, { count: all, seconds }] of hours) {
        if (hour > thisHour) count += all;
        if (hour !== thisHour) continue;
        for (const [second, bans] of seconds) if (second * SECOND_MS > now) count += bans;
      }
      return { state, jail, count };
    });
  }

  #count({ state, jail, until }: Ban, change: 1 | -1): void {
    const due = DUE_STATES.find((each) => each === state);
    if (!due) return;
    const group = this.#groupOf(due, jail);
    if (until === null) {
      group.forEver += change;
      return;
    }
    const hour = Math.floor(until / HOUR_MS);
    const second = Math.ceil(until / SECOND_MS);
    const counted = group.hours.get(hour) ?? { count: 0, seconds: new Map<number, number>() };
    counted.count += change;
    counted.seconds.set(second, (counted.seconds.get(second) ?? 0) + change);
    if (counted.seconds.get(second) === 0) counted.seconds.delete(second);
    if (counted.count === 0) group.hours.delete(hour);
    else group.hours.set(hour, counted);
  }

  #groupOf(state: DueState, jail: string): Group {
    const name = `${state} ${jail}`;
    const present = this.#groups.get(name);
    if (present) return present;
    const group: Group = { state, jail, forEver: 0, hours: new Map() };
    this.#groups.set(name, group);
    return group;
  }
}
