/**
 * Time stamps at the beginning of log lines. Each reader returns when the line was
 * written (epoch milliseconds) and where the stamp ends, or undefined.
 */
export interface Stamp {
  at: number;
  /** Index after the stamp, without the space that follows. */
  end: number;
}

const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";
const DAY_MS = 86_400_000;
/** TAI was 10 s ahead in 1972 and is 37 s ahead since 2017; multilog counts from 2^62 + 10. */
const TAI_OFFSET = 10;

/**
 * "Mar  3 04:05:06", "Mar 03 04:05:06.123456" (RFC 3164, Dovecot's own log): neither
 * year nor zone. The zone is this host's; the year is the one that lies nearest
 * before a day after `receivedAt`, so that a stamp of 31 December read in January is of last year.
 */
export function readMonthStamp(text: string, receivedAt: number): Stamp | undefined {
  const match = /^([A-Z][a-z]{2}) ([ 0-3]\d) (\d\d):(\d\d):(\d\d)(\.\d{1,9})?/.exec(
    text.slice(0, 26),
  );
  if (!match) return undefined;
  const [whole, name = "", day = "", hours = "", minutes = "", seconds = "", fraction] = match;
  const month = MONTHS.indexOf(name);
  if (month < 0 || month % 3 !== 0) return undefined;
  const local = (year: number) =>
    new Date(year, month / 3, Number(day), Number(hours), Number(minutes), Number(seconds));
  const year = new Date(receivedAt).getFullYear();
  let at = local(year).getTime();
  if (at > receivedAt + DAY_MS) at = local(year - 1).getTime();
  // Read on 31 December what a host ahead of us wrote on 1 January.
  else if (at < receivedAt - 364 * DAY_MS) {
    const next = local(year + 1).getTime();
    if (next <= receivedAt + DAY_MS) at = next;
  }
  return { at: at + milliseconds(fraction), end: whole.length };
}

/**
 * "2026-03-03T04:05:06.784598+01:00", "2026-03-03T04:05:06+0100", "...Z" (RFC 3339), and
 * "2026-03-03 04:05:06" in this host's zone.
 */
export function readIsoStamp(text: string): Stamp | undefined {
  const match =
    /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)([.,]\d{1,9})?(?:(Z)|([+-])(\d\d):?(\d\d))?/.exec(
      text.slice(0, 40),
    );
  if (!match) return undefined;
  const [whole, year, month, day, hours, minutes, seconds, fraction, utc, sign, zh, zm] = match;
  const parts = [year, Number(month) - 1, day, hours, minutes, seconds].map(Number);
  const [y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0] = parts;
  const end = whole.length;
  if (utc === undefined && sign === undefined) {
    return { at: new Date(y, mo, d, h, mi, s).getTime() + milliseconds(fraction), end };
  }
  const offset = (Number(zh ?? 0) * 60 + Number(zm ?? 0)) * 60_000;
  const at = Date.UTC(y, mo, d, h, mi, s) - (sign === "-" ? -offset : offset);
  return { at: at + milliseconds(fraction), end };
}

/** "@4000000067c52d1c2a3b4c5d" (TAI64N, as multilog and s6-log write it). */
export function readTaiStamp(text: string): Stamp | undefined {
  const match = /^@([0-9a-f]{16})([0-9a-f]{8})/.exec(text.slice(0, 25));
  if (!match) return undefined;
  const [whole, label = "", nanoseconds = ""] = match;
  const seconds = Number(BigInt(`0x${label}`) - (1n << 62n)) - TAI_OFFSET;
  return {
    at: seconds * 1000 + Math.floor(Number.parseInt(nanoseconds, 16) / 1e6),
    end: whole.length,
  };
}

function milliseconds(fraction: string | undefined): number {
  return fraction === undefined ? 0 : Math.floor(Number(`0.${fraction.slice(1)}`) * 1000);
}
