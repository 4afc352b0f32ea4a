/**
 * Warns of what expires within two weeks: the credentials of this process, and the certificate that
 * the NATS server has shown last.
 */
import { warn, type Warning } from "../wire/warnings.ts";
import type { Credentials } from "./credentials.ts";
import { PlainError } from "../process/exit.ts";

export interface Expiry {
  warnings(): Warning[];
  stop(): void;
}

export interface ExpiryOptions {
  /** Read anew every time, because the credentials may be renewed. */
  credentials: () => Pick<Credentials, "name" | "until"> | undefined;
  /** When the certificate that the server has shown last runs out; undefined: there is none. */
  certificateUntil: () => number | undefined;
  /** Has the server show it again: it may be renewed while we are connected. */
  lookAgain: () => Promise<unknown>;
  now: () => number;
}

const DAY_MS = 86_400_000;
const BEFORE_MS = 14 * DAY_MS;
const LOOK_EVERY_MS = 3_600_000;

export function watchExpiry(options: ExpiryOptions): Expiry {
  const { credentials, certificateUntil, lookAgain, now } = options;
  const isNear = (until: number | undefined) => until !== undefined && until - now() < BEFORE_MS;

  function readCredentials(): Pick<Credentials, "name" | "until"> | undefined {
    try {
      return credentials();
    } catch (error) {
      if (error instanceof PlainError) return undefined; // being replaced
      throw error;
    }
  }

  function warnings(): Warning[] {
    const found: Warning[] = [];
    const own = readCredentials();
    if (own?.until !== undefined && isNear(own.until)) {
      found.push(warn("credentials-expire", { name: own.name, until: own.until, now: now() }));
    }
    const until = certificateUntil();
    if (until !== undefined && isNear(until)) {
      found.push(warn("server-certificate-expires", { until, now: now() }));
    }
    return found;
  }

  async function look(): Promise<void> {
    if (isNear(certificateUntil())) await lookAgain();
  }

  const timer = setInterval(() => void look(), LOOK_EVERY_MS);
  timer.unref();
  void look();
  return { warnings, stop: () => clearInterval(timer) };
}
