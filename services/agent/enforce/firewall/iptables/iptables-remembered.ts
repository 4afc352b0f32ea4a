/** The rules of bans that the chains must hold, by jail and address: the firewall's memory of them. */
import { familyOf, type Address } from "../../../../wire/address.ts";
import type { TimedBan } from "../firewall.ts";
import { checked, type Family } from "../names.ts";
import {
  deleteLine,
  dropRule,
  insertLine,
  isOver,
  type End,
  type Line,
} from "./iptables-drop-rules.ts";

export class RememberedRules {
  /** This host's clock, which the kernel ends bans by. */
  readonly #now: () => number;
  #ends = new Map<string, Map<Address, End>>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** These bans and no others. */
  replace(bans: readonly TimedBan[]): void {
    this.#ends.clear();
    for (const ban of bans) this.#of(ban.jail).set(checked(ban.address), this.#endOf(ban));
  }

  /** Returns the lines that put the ban's rule in, and the rule that it had before out. */
  add(ban: TimedBan): Line[] {
    const { jail, address } = ban;
    const ends = this.#of(jail);
    const isThere = ends.has(address);
    const [end, before] = [this.#endOf(ban), ends.get(address)];
    if (isThere && end === before) return [];
    ends.set(address, end);
    const inserted = insertLine(jail, address, end);
    return isThere ? [inserted, deleteLine(jail, address, before)] : [inserted];
  }

  /** Returns the lines that take the ban's rule out. */
  delete(jail: string, address: Address): Line[] {
    const ends = this.#of(jail);
    if (!ends.has(address)) return [];
    const end = ends.get(address);
    ends.delete(address);
    return [deleteLine(jail, address, end)];
  }

  /** Forgets bans that are over, and returns the lines that take what is left of their rules out. */
  sweep(): Line[] {
    const lines: Line[] = [];
    for (const [jail, ends] of this.#ends) {
      for (const [address, end] of ends) {
        if (!isOver(end, this.#now())) continue;
        lines.push(deleteLine(jail, address, end));
        ends.delete(address);
      }
    }
    return lines;
  }

  /** As `iptables -S` spells them after the chain's name. */
  rulesOf(jail: string, family: Family["family"]): string[] {
    return [...this.#of(jail)]
      .filter(([address]) => familyOf(address) === family)
      .map(([address, end]) => dropRule(address, end));
  }

  /** Does the work; where the kernel refuses it, the rules are remembered as before. */
  async orAsBefore<T>(work: () => Promise<T>): Promise<T> {
    const before = new Map([...this.#ends].map(([jail, ends]) => [jail, new Map(ends)]));
    try {
      return await work();
    } catch (error) {
      this.#ends = before;
      throw error;
    }
  }

  #of(jail: string): Map<Address, End> {
    const known = this.#ends.get(jail) ?? new Map<Address, End>();
    this.#ends.set(jail, known);
    return known;
  }

  #endOf({ seconds }: TimedBan): End {
    return seconds === undefined ? undefined : Math.floor(this.#now() / 1000 + seconds);
  }
}
