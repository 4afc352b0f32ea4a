/**
 * What the last few minutes have shown of logins on this host: how many have succeeded, and two signs
 * that they fail for a reason of the host's own (see login-outcomes.ts).
 */
import { detached } from "../../detection/lines/detached.ts";
import { dropOldest } from "../../detection/attempts/bounded-map.ts";

/** Lines about passdbs that could not be asked, and addresses that they name. */
const OUTAGE_LINES = 10;
const OUTAGE_ADDRESSES = 3;
/** Users and addresses that have logged in before and are refused. */
const KNOWN_REFUSED = 5;
/** Successful logins that are remembered, by user and address. */
const KNOWN_LOGINS = 5_000;
/** As many events of a kind are remembered. */
const KEPT = 1_000;

/** When somebody has logged in, the oldest first. */
export class RecentLogins {
  #times: number[] = [];

  note(at: number): void {
    this.#times.push(at);
    if (this.#times.length > 2 * KEPT) this.#times = this.#times.slice(-KEPT);
  }

  forgetBefore(since: number): void {
    if ((this.#times[0] ?? since) < since) this.#times = this.#times.filter((at) => at >= since);
  }

  count(): number {
    return this.#times.length;
  }

  /** Has somebody logged in since then? */
  hasSince(at: number): boolean {
    return (this.#times.at(-1) ?? -Infinity) >= at;
  }
}

/** Dovecot could not ask its passdb, for clients of several addresses. */
export class PassdbOutages {
  /** Lines that say so, the oldest first. */
  #lines: { at: number; address: string }[] = [];

  note(named: string, lines: number, at: number): void {
    const address = detached(named);
    for (let line = 0; line < Math.min(lines, KEPT); line += 1) this.#lines.push({ at, address });
    if (this.#lines.length > 2 * KEPT) this.#lines = this.#lines.slice(-KEPT);
  }

  forgetBefore(since: number): void {
    if ((this.#lines[0]?.at ?? since) >= since) return;
    this.#lines = this.#lines.filter(({ at }) => at >= since);
  }

  explain(logins: number): string | undefined {
    const addresses = new Set(this.#lines.map(({ address }) => address)).size;
    const isOutage = this.#lines.length >= OUTAGE_LINES && addresses >= OUTAGE_ADDRESSES;
    if (!isOutage || logins >= this.#lines.length) return undefined;
    return `Dovecot could not ask its passdb for clients of ${addresses} addresses within 5m`;
  }
}

/** Users are refused who have logged in from the very same addresses before. */
export class RefusedKnown {
  /** Pairs of user and address that have logged in, in the order of their last logins. */
  readonly #known = new Map<string, true>();
  /** When such a pair was refused last. */
  readonly #refused = new Map<string, number>();

  noteLogin(pair: string): void {
    this.#known.delete(pair); // the Map keeps the order of insertion
    this.#known.set(detached(pair), true);
    if (this.#known.size > KNOWN_LOGINS) dropOldest(this.#known);
    this.#refused.delete(pair);
  }

  /** false: the pair has never logged in, and its refusal says nothing. */
  noteRefused(pair: string, at: number): boolean {
    if (!this.#known.has(pair)) return false;
    this.#refused.delete(pair);
    this.#refused.set(detached(pair), at);
    if (this.#refused.size > KEPT) dropOldest(this.#refused);
    return true;
  }

  forgetBefore(since: number): void {
    for (const [pair, at] of this.#refused) if (at < since) this.#refused.delete(pair);
  }

  explain(logins: number): string | undefined {
    const { size } = this.#refused;
    if (size < KNOWN_REFUSED || logins >= size) return undefined;
    const text = "users are refused who have logged in from the same addresses before";
    return `${size} ${text}, within 5m`;
  }
}
