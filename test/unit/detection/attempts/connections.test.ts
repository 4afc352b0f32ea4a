import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createDetector } from "../../../../services/detection/dovecot-detector.ts";
import { createLedger } from "../../../../services/detection/attempts/attempt-ledger.ts";
import { WithdrawnAttempts } from "../../../../services/detection/attempts/withdrawn-attempts.ts";

const START = Date.UTC(2026, 10, 24);

/** What a client tries in one connection: how often, and what becomes of it. */
const exchange = fc.record({
  user: fc.constantFrom("ann", "bob", "eve"),
  outcome: fc.constantFrom("refused", "refused", "refused", "broken off", "outage"),
});

/** One client's session, which behind a proxy has several connections. */
const session = fc.record({
  address: fc.constantFrom("198.51.100.1", "198.51.100.2", "2001:db8::3"),
  connections: fc.array(fc.array(exchange, { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 4,
  }),
  start: fc.integer({ min: 10, max: 60 }),
});
type Drawn = typeof session extends fc.Arbitrary<infer T> ? T : never;
type Session = Omit<Drawn, "address"> & { address: string };

interface Line {
  at: number;
  text: string;
}

function lineOf(second: number, text: string): Line {
  const stamp = new Date(START + Math.round(second * 1000)).toISOString().replace("Z", "+00:00");
  return { at: second, text: `${stamp} mx1 dovecot: ${text}\n` };
}

/** What a Dovecot with auth_verbose writes about the session. */
function writeVerbose({ address, connections, start }: Session, id: string): Line[] {
  const lines: Line[] = [];
  let at = start;
  for (const exchanges of connections) {
    const from = at;
    for (const { user, outcome } of exchanges) {
      at += 3;
      const who = `(${user},${address},<${id}>)`;
      if (outcome === "refused") lines.push(lineOf(at, `auth: passwd-file${who}: unknown user`));
      if (outcome === "outage") {
        lines.push(lineOf(at, `auth-worker(7): Error: sql${who}: Password query failed: gone`));
      }
    }
    at += 1;
    const { user } = exchanges.at(-1) ?? { user: "" };
    const elements = `user=<${user}>, method=PLAIN, rip=${address}, lip=192.0.2.25, session=<${id}>`;
    const reason = `(auth failed, ${exchanges.length} attempts in ${at - from} secs)`;
    lines.push(lineOf(at, `imap-login: Disconnected: Connection closed ${reason}: ${elements}`));
  }
  return lines;
}

function countAll(lines: readonly string[]): Map<string, number> {
  const ledger = createLedger({ mode: "normal" });
  const detector = createDetector({ source: "mail", ledger });
  const counted = new Map<string, number>();
  const failures = lines.flatMap((line) => detector.feed(Buffer.from(line), 0, START));
  const withdrawn = new WithdrawnAttempts();
  withdrawn.note(ledger.takeWithdrawn());
  for (const failure of failures) {
    const { address } = failure;
    counted.set(address, (counted.get(address) ?? 0) + withdrawn.attemptsLeft(failure));
  }
  return counted;
}

/** These show a host's auth_verbose and its one passdb before anything else happens. */
const FIRST: Session = {
  address: "198.51.100.9",
  connections: [[{ user: "ann", outcome: "refused" }]],
  start: 1,
};

function refusedOf(sessions: readonly Session[]): Map<string, number> {
  const refused = new Map<string, number>();
  for (const { address, connections } of sessions) {
    const count = connections.flat().filter(({ outcome }) => outcome === "refused").length;
    if (count > 0) refused.set(address, (refused.get(address) ?? 0) + count);
  }
  return refused;
}

const idOf = (index: number) => `GGGGGGGGGGGGG${String(index).padStart(3, "0")}`;
const sorted = (map: Map<string, number>) => [...map].sort();

/** A connection in which every exchange was broken off leaves no line: its number is believed. */
const isTold = ({ connections }: Session) =>
  connections.every((exchanges) => exchanges.some(({ outcome }) => outcome !== "broken off"));

test("with auth_verbose every refused password counts once, whatever numbers the ends name", () => {
  fc.assert(
    fc.property(fc.array(session.filter(isTold), { maxLength: 8 }), (sessions) => {
      const first = writeVerbose(FIRST, idOf(999));
      const lines = sessions
        .flatMap((each, index) => writeVerbose(each, idOf(index)))
        .sort((a, b) => a.at - b.at);
      const counted = countAll([...first, ...lines].map(({ text }) => text));
      assert.deepEqual(sorted(counted), sorted(refusedOf([FIRST, ...sessions])));
    }),
  );
});

test("without auth_verbose every connection counts what its end names, also of one session", () => {
  fc.assert(
    fc.property(fc.array(session, { maxLength: 8 }), (sessions) => {
      const lines = sessions
        .flatMap((each, index) => writeVerbose(each, idOf(index)))
        .filter(({ text }) => text.includes("imap-login"))
        .sort((a, b) => a.at - b.at);
      const expected = new Map<string, number>();
      for (const { address, connections } of sessions) {
        expected.set(address, (expected.get(address) ?? 0) + connections.flat().length);
      }
      assert.deepEqual(sorted(countAll(lines.map(({ text }) => text))), sorted(expected));
    }),
  );
});
