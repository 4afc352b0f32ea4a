/**
 * The login lines that logs are full of, read in one step: a login, and the end of a connection
 * with refused passwords.
 *
 *   imap-login: Login: user=<bob>, method=PLAIN, rip=192.0.2.55, lip=203.0.113.25, mpid=304, TLS
 *   imap-login: Disconnected: Inactivity (auth failed, 2 attempts in 8 secs): user=<bob>,
 *     method=PLAIN, rip=192.0.2.55, lip=203.0.113.25, TLS, session=<ZrmCsAVgAcDAAAI3>
 *
 * Such a line can be read in one way only: its reason holds nothing but small words, and its name
 * has neither a comma nor an angle bracket, so that no part of it looks like an element. Where a
 * syslog daemon has spelled bytes of the name, its length is in doubt, and with it what a cut left.
 * `readAnyLoginLine` reads the same out of it, in many steps; a property test holds that.
 */
import { parseAddress } from "../../wire/address.ts";
import { hasSpelledByte } from "./cut-line.ts";
import { isLocalAddress, MAX_USER } from "./login-elements.ts";
import { emptyReading, type Reading } from "./reading.ts";

const USUAL =
  /^([a-z0-9]{1,16})-login: (?:Info: )?(?:(Login|Logged in)|(?:Disconnected|Aborted login|Login aborted)(?:: [A-Z][a-z]+(?: [a-z]+)*)? \(auth failed, (\d{1,3}) attempts in (\d{1,4}) secs\)( \(auth_failed\))?): user=<([^<>,]+)>, method=[A-Za-z0-9_-]{1,64}, rip=([0-9a-fA-F.:]+), lip=([0-9a-fA-F.:]+)(?:, mpid=\d{1,10})?(?:, TLS|, secured)?(?:, session=<([^<>\s,]+)>)?$/;
const MAX_SESSION = 80;

/** Reads a message; undefined when it is no such line. */
export function readUsualLoginLine(text: string): Reading | undefined {
  const found = USUAL.exec(text);
  if (found === null) return undefined;
  const [, service, login, attempts, seconds, event, user = "", peer = "", local = "", session] =
    found;
  if (
    user.length > MAX_USER ||
    hasSpelledByte(user) ||
    (session !== undefined && session.length > MAX_SESSION)
  ) {
    return undefined;
  }
  const address = parseAddress(peer);
  if (address === undefined || !isLocalAddress(local)) return undefined;
  const reading = emptyReading();
  reading.stage = "final";
  reading.service = service;
  reading.user = user;
  reading.address = address;
  reading.session = session;
  reading.hasMethod = true;
  if (login !== undefined) {
    reading.form = login === "Login" ? "login-2.3-success" : "login-2.4-success";
    reading.verdict = "success";
    return reading;
  }
  const count = Number(attempts);
  reading.verdict = "failure";
  reading.form = event === undefined ? "login-2.3-auth-failed" : "login-2.4-auth-failed";
  // 2.3 does not say "0 attempts" of a refused password.
  reading.attempts = event === undefined ? Math.max(count, 1) : count;
  reading.begun = count;
  reading.seconds = Number(seconds);
  return reading;
}
