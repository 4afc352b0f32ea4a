import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createDetector } from "../../../../services/detection/dovecot-detector.ts";
import { createLedger } from "../../../../services/detection/attempts/attempt-ledger.ts";

const START = Date.UTC(2026, 10, 24);

/** Passdbs in the order in which they are asked. */
const CHAINS = [
  ["passwd-file"],
  ["passwd-file", "passwd-file"],
  ["sql", "passwd-file"],
  ["sql", "sql", "ldap"],
] as const;

const session = fc.record({
  address: fc.constantFrom("198.51.100.1", "198.51.100.2", "2001:db8::3"),
  /** Who is tried, and which passdb knows him; beyond the last: none. */
  tries: fc.array(
    fc.record({ user: fc.constantFrom("ann", "bob", "eve"), knownBy: fc.nat({ max: 3 }) }),
    { minLength: 1, maxLength: 4 },
  ),
  /** The passdb that accepts the last password, if one does. */
  accepts: fc.option(fc.nat({ max: 2 })),
  start: fc.integer({ min: 10, max: 60 }),
});
type Session = typeof session extends fc.Arbitrary<infer T> ? T : never;

interface Line {
  at: number;
  text: string;
}

function lineOf(second: number, text: string): Line {
  const stamp = new Date(START + second * 1000).toISOString().replace("Z", "+00:00");
  return { at: second, text: `${stamp} mx1 dovecot: ${text}\n` };
}

/** What Dovecot writes about a session, and how many of its passwords were refused. */
function write(chain: readonly string[], { address, tries, accepts, start }: Session, id: string) {
  const lines: Line[] = [];
  const refuse = (at: number, passdb: string, user: string, isKnown: boolean) => {
    const message = isKnown ? "Password mismatch" : "unknown user";
    lines.push(lineOf(at, `auth: ${passdb}(${user},${address},<${id}>): ${message}`));
  };
  tries.forEach(({ user, knownBy }, number) => {
    const at = start + 3 * number;
    chain.forEach((passdb, place) => refuse(at + place * 0.001, passdb, user, place === knownBy));
  });
  const [end, user] = [start + 3 * tries.length, tries.at(-1)?.user ?? ""];
  const elements = `user=<${user}>, method=PLAIN, rip=${address}, lip=192.0.2.25, session=<${id}>`;
  if (accepts !== null && accepts < chain.length) {
    chain.slice(0, accepts).forEach((passdb) => refuse(end, passdb, user, false));
    lines.push(lineOf(end + 0.1, `imap-login: Login: ${elements}`));
  } else {
    const reason = `(auth failed, ${tries.length} attempts in ${3 * tries.length} secs)`;
    lines.push(lineOf(end, `imap-login: Disconnected: Inactivity ${reason}: ${elements}`));
  }
  return lines;
}

const one: Session = {
  address: "198.51.100.1",
  tries: [{ user: "ann", knownBy: 0 }],
  accepts: null,
  start: 0,
};

for (const chain of CHAINS) {
  test(`behind ${chain.join(", ")} every refused password is one attempt, and the right one none`, () => {
    fc.assert(
      fc.property(fc.array(session, { maxLength: 8 }), (sessions) => {
        const name = (index: number) => `GGGGGGGGGGGGG${String(index).padStart(3, "0")}`;
        const lines = sessions
          .flatMap((each, index) => write(chain, each, name(index)))
          .sort((a, b) => a.at - b.at);
        // One session's end has been seen before: it tells how many passdbs there are.
        const text = [...write(chain, one, name(999)), ...lines].map((each) => each.text);
        const ledger = createLedger({ mode: "normal" });
        const detector = createDetector({ source: "mail", ledger });
        const counted = new Map<string, number>();
        for (const each of text) {
          for (const { address, attempts } of detector.feed(Buffer.from(each), 0, START)) {
            counted.set(address, (counted.get(address) ?? 0) + attempts);
          }
        }
        const expected = new Map<string, number>();
        for (const { address, tries } of [one, ...sessions]) {
          expected.set(address, (expected.get(address) ?? 0) + tries.length);
        }
        const sorted = (map: Map<string, number>) => [...map].sort();
        assert.deepEqual(sorted(counted), sorted(expected));
      }),
    );
  });
}
