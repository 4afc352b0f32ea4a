import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createDetector } from "../../../../services/detection/dovecot-detector.ts";
import {
  createLedger,
  type LedgerSnapshot,
} from "../../../../services/detection/attempts/attempt-ledger.ts";

const START = Date.UTC(2026, 10, 24);
const A = "198.51.100.7";

/** A log line at `second`. */
function line(second: number, text: string): string {
  const stamp = new Date(START + second * 1000).toISOString().replace("Z", "+00:00");
  return `${stamp} mx1 ${text}\n`;
}

interface Session {
  id: string;
  address?: string;
  user?: string;
}
const who = ({ id, address = A, user = "bob" }: Session) => ({ id, address, user });

function refusal(second: number, session: Session, passdb = "passwd-file"): string {
  const { id, address, user } = who(session);
  const message = passdb === "pam" ? "pam_authenticate() failed: x" : "Password mismatch";
  return line(second, `dovecot: auth: ${passdb}(${user},${address},<${id}>): ${message}`);
}
function pam(second: number, session: Session): string {
  const { address, user } = who(session);
  const names = `ruser=${user} rhost=${address}  user=${user}`;
  return line(
    second,
    `auth[7]: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ${names}`,
  );
}
function end(second: number, session: Session, attempts: number, seconds = 10): string {
  const { id, address, user } = who(session);
  const reason = `(auth failed, ${attempts} attempts in ${seconds} secs)`;
  const elements = `user=<${user}>, method=PLAIN, rip=${address}, lip=192.0.2.25, session=<${id}>`;
  return line(
    second,
    `dovecot: imap-login: Disconnected: Connection closed ${reason}: ${elements}`,
  );
}
function success(second: number, session: Session): string {
  const { id, address, user } = who(session);
  const elements = `user=<${user}>, method=PLAIN, rip=${address}, lip=192.0.2.25, mpid=1, session=<${id}>`;
  return line(second, `dovecot: imap-login: Login: ${elements}`);
}

/** Attempts that each line adds. */
function count(lines: readonly string[]): number[] {
  const detector = createDetector({ source: "mail", ledger: createLedger({ mode: "normal" }) });
  return lines.map((each) =>
    detector.feed(Buffer.from(each), 0, START).reduce((sum, { attempts }) => sum + attempts, 0),
  );
}

const s1: Session = { id: "AAAAAAAAAAAAAAA1" };
const s2: Session = { id: "AAAAAAAAAAAAAAA2" };

for (const [name, lines, expected] of [
  ["an end alone counts what it says", [end(9, s1, 3)], [3]],
  ["an attempt counts when it is made, not at the end", [refusal(1, s1), end(9, s1, 1)], [1, 0]],
  [
    "where only passwords are logged, the end adds what no line told of",
    [
      refusal(1, s1).replace("mismatch", "mismatch (SHA1 of given password: 5baa61)"),
      end(9, s1, 3),
    ],
    [1, 2],
  ],
  [
    "where auth_verbose reports every attempt, the end adds nothing: the others were broken off",
    [refusal(1, s1), end(9, s1, 3)],
    [1, 0],
  ],
  [
    "two passdbs that refuse one password are one attempt",
    [refusal(1, s1, "passwd-file"), refusal(1, s1, "sql"), end(9, s1, 1)],
    [1, 0, 0],
  ],
  [
    "two attempts at two passdbs are two",
    [
      ...[refusal(1, s1, "passwd-file"), refusal(1, s1, "sql")],
      ...[refusal(4, s1, "passwd-file"), refusal(4, s1, "sql"), end(9, s1, 2)],
    ],
    [1, 0, 1, 0, 0],
  ],
  ["PAM, auth and the end are one", [pam(1, s1), refusal(3, s1, "pam"), end(9, s1, 1)], [1, 0, 0]],
  ["PAM and the end are one", [pam(5, s1), end(9, s1, 1)], [1, 0]],
  ["two of PAM's and the end with two are two", [pam(5, s1), pam(7, s1), end(9, s1, 2)], [1, 1, 0]],
  [
    "the end of another address takes nothing from it",
    [pam(5, s1), end(9, { ...s2, address: "192.0.2.1" }, 1)],
    [1, 1],
  ],
  [
    "behind a proxy every end of a session closes a connection of its own",
    [end(3, s1, 1), end(6, s1, 1), end(9, s1, 2)],
    [1, 1, 2],
  ],
  [
    "behind a proxy with auth_verbose, too",
    [refusal(1, s1), end(3, s1, 1, 2), refusal(4, s1), end(6, s1, 1, 2)],
    [1, 0, 1, 0],
  ],
  [
    "a late line of a connection that has ended counts nothing",
    [end(9, s1, 2), refusal(9, s1)],
    [2, 0],
  ],
  ["a success after a failure takes back nothing", [refusal(1, s1), success(5, s1)], [1, 0]],
  [
    "connections at the same time are told apart",
    [refusal(1, s1), refusal(1, s2), end(9, s1, 1), end(9, s2, 1)],
    [1, 1, 0, 0],
  ],
] as const) {
  test(name, () => assert.deepEqual(count(lines), expected));
}

/** Connections of a few addresses, their lines mixed, every attempt told of in some of the ways. */
const connections = fc.array(
  fc.record({
    address: fc.constantFrom("198.51.100.1", "198.51.100.2", "2001:db8::3"),
    user: fc.constantFrom("ann", "bob", "x rip=9.9.9.9"),
    attempts: fc.integer({ min: 1, max: 4 }),
    isVerbose: fc.boolean(),
    start: fc.integer({ min: 0, max: 30 }),
  }),
  { maxLength: 12 },
);

test("whatever lines of connections are mixed, each attempt is counted once, for its address", () => {
  fc.assert(
    fc.property(connections, (all) => {
      const lines = all.flatMap(({ attempts, isVerbose, start, ...rest }, index) => {
        const session = { id: `BBBBBBBBBBBBB${String(index).padStart(3, "0")}`, ...rest };
        const tries = Array.from({ length: attempts }, (_, n) => start + 3 * n);
        return [
          ...tries.flatMap((at) => (isVerbose ? [{ at, text: refusal(at, session) }] : [])),
          { at: start + 15, text: end(start + 15, session, attempts, 15) },
        ];
      });
      const text = lines.sort((a, b) => a.at - b.at).map((each) => each.text);
      const ledger = createLedger({ mode: "normal" });
      const found = createDetector({ source: "mail", ledger }).feed(
        Buffer.from(text.join("")),
        0,
        START,
      );
      for (const address of new Set([...all, ...found].map((each) => each.address))) {
        const own = (list: readonly { address: string; attempts: number }[]) =>
          list
            .filter((each) => each.address === address)
            .reduce((sum, { attempts }) => sum + attempts, 0);
        assert.equal(own(found), own(all), address);
      }
    }),
  );
});

test("a restart at any place counts the same", () => {
  fc.assert(
    fc.property(connections, fc.integer({ min: 0, max: 60 }), (all, cut) => {
      const text = all.flatMap(({ attempts, start, ...rest }, index) => {
        const session = { id: `CCCCCCCCCCCCC${String(index).padStart(3, "0")}`, ...rest };
        return [
          pam(start, session),
          refusal(start + 1, session, "pam"),
          end(start + 9, session, attempts),
        ];
      });
      const feed = (lines: readonly string[], snapshot?: LedgerSnapshot) => {
        const ledger = createLedger({ mode: "normal", snapshot });
        const detector = createDetector({ source: "mail", ledger });
        const found = detector.feed(Buffer.from(lines.join("")), 0, START);
        return { ledger, found: found.map(({ address, attempts }) => `${address} ${attempts}`) };
      };
      const whole = feed(text);
      const first = feed(text.slice(0, cut));
      const kept = JSON.parse(JSON.stringify(first.ledger.snapshot())) as LedgerSnapshot;
      const second = feed(text.slice(cut), kept);
      assert.deepEqual([...first.found, ...second.found], whole.found);
    }),
  );
});

test("two logs that tell of the same attempts count them once", () => {
  const quiet = [pam(1, s1), end(9, s1, 3), end(20, s1, 1)];
  const verbose = [
    pam(1, s1),
    refusal(2, s1, "pam"),
    end(9, s1, 1),
    refusal(12, s1),
    end(20, s1, 1),
  ];
  for (const [lines, expected] of [
    [quiet, 4],
    [verbose, 2],
  ] as const) {
    const ledger = createLedger({ mode: "normal" });
    const logs = ["mail", "journal"].map((source) => createDetector({ source, ledger }));
    let counted = 0;
    for (const each of lines) {
      for (const log of logs) {
        for (const { attempts } of log.feed(Buffer.from(each), 0, START)) counted += attempts;
      }
    }
    assert.equal(counted, expected);
  }
});

test("100,000 open connections and more take bounded room", () => {
  const ledger = createLedger({ mode: "normal", maxSessions: 1_000 });
  const detector = createDetector({ source: "mail", ledger });
  for (let index = 0; index < 25_000; index += 1) {
    const address = `10.0.${index >> 8}.${index & 255}`;
    const id = `D${String(index).padStart(15, "0")}`;
    detector.feed(Buffer.from(refusal(1, { id, address })), 0, START);
  }
  for (let each = 0; each < 100; each += 1) {
    detector.feed(Buffer.from(refusal(1, { id: `E${String(each).padStart(15, "0")}` })), 0, START);
  }
  assert.ok(ledger.sizes.sessions <= 1_000 && ledger.sizes.sessions >= 750);
  assert.ok(ledger.sizes.untied <= 20_000 + 64, String(ledger.sizes.untied));
});

test("what is long silent is forgotten", () => {
  const ledger = createLedger({ mode: "normal" });
  const detector = createDetector({ source: "mail", ledger });
  detector.feed(Buffer.from(refusal(1, { id: "F000000000000001" })), 0, START);
  detector.feed(Buffer.from(refusal(5_000, { id: "F000000000000002" })), 0, START);
  assert.deepEqual({ ...ledger.sizes }, { sessions: 1, untied: 1 });
});

test("where there are several sources it is kept until the others may have been read", () => {
  const ledger = createLedger({ mode: "normal" });
  const detector = createDetector({ source: "mail", ledger });
  createDetector({ source: "auth", ledger });
  const read = (second: number, id: string, readAt: number) =>
    detector.feed(Buffer.from(refusal(second, { id })), 0, readAt);
  read(1, "F000000000000001", START);
  read(5_000, "F000000000000002", START + 1_000);
  read(9_000, "F000000000000003", START + 2_000);
  assert.equal(ledger.sizes.sessions, 3);
  read(9_200, "F000000000000004", START + 62_000);
  read(9_400, "F000000000000005", START + 123_000);
  assert.equal(ledger.sizes.sessions, 3);
});
