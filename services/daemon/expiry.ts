/**
 * What runs out: our credentials, and the certificate of the NATS server as we have seen it. Said
 * two weeks before, once a day in the log, and for as long as it is so in the status.
 */
import type { Warning } from "../wire/status.ts";
import type { Credentials } from "./credentials.ts";
import { PlainError } from "./exit.ts";
import type { Log } from "./log.ts";
import { createSeldom } from "./seldom.ts";

export interface Expiry {
  warnings(): Warning[];
  stop(): void;
}

export interface ExpiryOptions {
  /** Read anew every time, for they may be renewed. */
  credentials: () => Credentials | undefined;
  /** When the certificate that the server has shown last runs out; undefined: there is none. */
  certificateUntil: () => number | undefined;
  /** Has the server show it again: it may be renewed while we are connected. */
  lookAgain: () => Promise<unknown>;
  now: () => number;
  log: Log;
}

const DAY_MS = 86_400_000;
const BEFORE_MS = 14 * DAY_MS;
const HIGH_BEFORE_MS = 3 * DAY_MS;
const LOOK_EVERY_MS = 3_600_000;

export function watchExpiry(options: ExpiryOptions): Expiry {
  const { credentials, certificateUntil, lookAgain, now, log } = options;
  const maySay = createSeldom(DAY_MS, now);
  const isNear = (until: number | undefined) => until !== undefined && until - now() < BEFORE_MS;

  function readCredentials(): Credentials | undefined {
    try {
      return credentials();
    } catch (error) {
      if (error instanceof PlainError) return undefined; // being replaced
      throw error;
    }
  }

  function warnings(): Warning[] {
    const found: Warning[] = [];
    const warn = (code: string, until: number, what: string, remedy: string) => {
      const severity = until - now() < HIGH_BEFORE_MS ? "high" : "medium";
      const verb = until <= now() ? "ran out" : "run out";
      const text = `${what} ${verb} on ${new Date(until).toISOString()}: ${remedy}`;
      found.push({ code, severity, text });
    };
    const own = readCredentials();
    if (own?.until !== undefined && isNear(own.until)) {
      const remedy = "bring new ones, fleetban key makes them with --renew";
      warn("credentials-expire", own.until, `the NATS credentials of ${own.name}`, remedy);
    }
    const until = certificateUntil();
    if (until !== undefined && isNear(until)) {
      const what = "the days of the NATS server's certificate";
      const remedy = "fleetban key server NAME --renew makes a new one";
      warn("server-certificate-expires", until, what, remedy);
    }
    return found;
  }

  async function look(): Promise<void> {
    if (isNear(certificateUntil())) await lookAgain();
    for (const { code, text } of warnings()) {
      if (maySay(code)) log.warn({ reason: text }, "something runs out soon");
    }
  }

  const timer = setInterval(() => void look(), LOOK_EVERY_MS);
  timer.unref();
  void look();
  return { warnings, stop: () => clearInterval(timer) };
}
