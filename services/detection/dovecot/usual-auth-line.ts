/**
 * The auth lines of 2.3 that logs are full of, read in one step: a passdb has refused somebody whose
 * name has no parenthesis, comma or angle bracket.
 *
 *   auth: passwd-file(bob@example.com,192.0.2.55,<ZrmCsAVgAcDAAAI3>): Password mismatch
 *   auth-worker(304): pam(bob,192.0.2.55,<ZrmCsAVgAcDAAAI3>): pam_authenticate() failed: ...
 *
 * No head but the first can be found in such a line, because behind it no `)` is followed as at
 * a head's end. `readAnyAuthLine` reads the same out of it, in many steps; a property test holds
 * that.
 */
import { parseAddress } from "../../wire/address.ts";
import { isAttempt, makeHead, type AuthHead } from "./auth-heads.ts";
import { readAuthMessage } from "./auth-messages.ts";

const USUAL =
  /^auth(?:: (?:Info: )?|-worker\(\d{1,10}\): )([\w.-]{1,64})\(([^(),<>]{1,64}),([0-9a-fA-F.:]{2,45}),<([^(),<>\s]{1,64})>\): /;
/** Another head may end here. */
const END = /\)[:<]/g;

/** The head of such a line, which reports an attempt; undefined when it is no such line. */
export function readUsualHead(text: string): AuthHead | undefined {
  const found = USUAL.exec(text);
  if (found === null) return undefined;
  const [whole, driver = "", user = "", peer = "", session] = found;
  END.lastIndex = whole.length;
  if (END.test(text)) return undefined;
  const address = parseAddress(peer);
  if (address === undefined) return undefined;
  const by = readAuthMessage(text, whole.length, driver, "Info");
  const head = makeHead({ user, address, isMaster: false }, session, by);
  return isAttempt(head) ? head : undefined;
}
