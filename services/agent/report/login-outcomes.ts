/**
 * Whether logins fail for a reason of this host's own: then its refusals say nothing of those who
 * are refused, and the coordinator holds the automatic bans that the host causes.
 *
 * Three signs, each within the last few minutes and with fewer logins than what speaks against them:
 * - PAM's service file is missing;
 * - Dovecot could not ask its passdb, for clients of several addresses;
 * - users are refused who have logged in from the very same addresses before. An attacker cannot
 *   bring that about, because the attacker would have to log in as these users first.
 */
import type { Reading } from "../../detection/dovecot/reading.ts";
import { detached } from "../../detection/lines/detached.ts";
import { dropOldest } from "../../detection/attempts/bounded-map.ts";

export interface LoginOutcomes {
  /** Takes what one line of Dovecot's says. */
  note(reading: Reading): void;
  /** Why logins fail, as a clause; undefined: for no reason of the host's own, as far as is known. */
  trouble(): string | undefined;
}

export interface LoginOutcomesOptions {
  now: () => number;
  /** Logins begin to fail for a reason of the host's own, or no longer do. */
  onChange: () => void;
}

const WITHIN_MS = 300_000;
/** Lines about passdbs that could not be asked, and addresses that they name. */
const OUTAGE_LINES = 10;
const OUTAGE_ADDRESSES = 3;
/** Users and addresses that have logged in before and are refused. */
const KNOWN_REFUSED = 5;
/** Successful logins that are remembered, by user and address. */
const KNOWN_LOGINS = 5_000;
/** As many events of a kind are remembered. */
const KEPT = 1_000;

const OUTAGE_FORMS: ReadonlySet<string | null> = new Set([
  "auth-temporary-failure",
  "login-proxy-unavailable",
]);

export function createLoginOutcomes({ now, onChange }: LoginOutcomesOptions): LoginOutcomes {
  const known = new Map<string, true>();
  /** When who had logged in before was refused last. */
  const refused = new Map<string, number>();
  let logins: number[] = [];
  let outages: { at: number; address: string }[] = [];
  let pamMissingAt = -Infinity;
  let wasTrouble = false;

  function forgetOld(): void {
    const since = now() - WITHIN_MS;
    if ((logins[0] ?? Infinity) < since) logins = logins.filter((at) => at >= since);
    if ((outages[0]?.at ?? Infinity) < since) outages = outages.filter(({ at }) => at >= since);
    for (const [pair, at] of refused) if (at < since) refused.delete(pair);
  }

  function explain(): string | undefined {
    forgetOld();
    const lastLogin = logins.at(-1) ?? -Infinity;
    if (pamMissingAt >= now() - WITHIN_MS && lastLogin < pamMissingAt) {
      return "PAM's service file is missing, says Dovecot (/etc/pam.d/dovecot missing?)";
    }
    const addresses = new Set(outages.map(({ address }) => address)).size;
    const isOutage = outages.length >= OUTAGE_LINES && addresses >= OUTAGE_ADDRESSES;
    if (isOutage && logins.length < outages.length) {
      return `Dovecot could not ask its passdb for clients of ${addresses} addresses within 5m`;
    }
    if (refused.size >= KNOWN_REFUSED && logins.length < refused.size) {
      const text = "users are refused who have logged in from the same addresses before";
      return `${refused.size} ${text}, within 5m`;
    }
    return undefined;
  }

  function noteSuccess(pair: string): void {
    known.delete(pair); // the Map keeps the order of insertion
    known.set(detached(pair), true);
    if (known.size > KNOWN_LOGINS) dropOldest(known);
    refused.delete(pair);
    logins.push(now());
    if (logins.length > 2 * KEPT) logins = logins.slice(-KEPT);
  }

  function noteRefused(pair: string): void {
    refused.delete(pair);
    refused.set(detached(pair), now());
    if (refused.size > KEPT) dropOldest(refused);
  }

  function noteOutage(named: string, lines: number): void {
    const address = detached(named);
    for (let line = 0; line < Math.min(lines, KEPT); line += 1)
      outages.push({ at: now(), address });
    if (outages.length > 2 * KEPT) outages = outages.slice(-KEPT);
  }

  function look(): void {
    const isTrouble = explain() !== undefined;
    if (isTrouble === wasTrouble) return;
    wasTrouble = isTrouble;
    onChange();
  }

  return {
    note({ verdict, form, user, address, repeat }) {
      const pair = `${user}\n${address}`;
      if (verdict === "success") {
        noteSuccess(pair);
        if (wasTrouble) look();
        return;
      }
      if (form === "auth-pam-missing") pamMissingAt = now();
      else if (verdict === "spared" && OUTAGE_FORMS.has(form)) noteOutage(address ?? "", repeat);
      else if (verdict === "failure" && known.has(pair)) noteRefused(pair);
      else return;
      look();
    },
    trouble: explain,
  };
}
