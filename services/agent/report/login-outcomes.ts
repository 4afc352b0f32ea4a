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
import { LOGINS_WATCHED_MS } from "../../wire/status.ts";
import { PassdbOutages, RecentLogins, RefusedKnown } from "./login-signs.ts";

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

const OUTAGE_FORMS: ReadonlySet<string | null> = new Set([
  "auth-temporary-failure",
  "login-proxy-unavailable",
]);

export function createLoginOutcomes({ now, onChange }: LoginOutcomesOptions): LoginOutcomes {
  const logins = new RecentLogins();
  const outages = new PassdbOutages();
  const refusals = new RefusedKnown();
  let pamMissingAt: number | undefined;
  let wasTrouble = false;

  function explain(): string | undefined {
    const since = now() - LOGINS_WATCHED_MS;
    for (const sign of [logins, outages, refusals]) sign.forgetBefore(since);
    const missingAt = pamMissingAt ?? -Infinity;
    if (missingAt >= since && !logins.hasSince(missingAt)) {
      return "PAM's service file is missing, says Dovecot (/etc/pam.d/dovecot missing?)";
    }
    return outages.explain(logins.count()) ?? refusals.explain(logins.count());
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
        refusals.noteLogin(pair);
        logins.note(now());
        if (wasTrouble) look();
        return;
      }
      if (form === "auth-pam-missing") pamMissingAt = now();
      else if (verdict === "spared" && OUTAGE_FORMS.has(form)) {
        outages.note(address ?? "", repeat, now());
      } else if (verdict !== "failure" || !refusals.noteRefused(pair, now())) return;
      look();
    },
    trouble: explain,
  };
}
