import assert from "node:assert/strict";
import { test } from "node:test";
import { createDetector } from "../../../../services/detection/dovecot-detector.ts";
import type { Failure } from "../../../../services/detection/attempts/failure.ts";
import {
  createLedger,
  type Ledger,
} from "../../../../services/detection/attempts/attempt-ledger.ts";
import { WithdrawnAttempts } from "../../../../services/detection/attempts/withdrawn-attempts.ts";

const START = Date.UTC(2026, 10, 24);
const A = "198.51.100.7";

function line(second: number, text: string): string {
  const stamp = new Date(START + Math.round(second * 1000)).toISOString().replace("Z", "+00:00");
  return `${stamp} mx1 ${text}\n`;
}

interface Who {
  user?: string;
  session?: string;
}
const id = (number: number) => `HHHHHHHHHHHHH${String(number).padStart(3, "0")}`;

const says =
  (message: string, passdb = "passwd-file") =>
  (second: number, { user = "bob", session = id(1) }: Who = {}) =>
    line(second, `dovecot: auth: ${passdb}(${user},${A},<${session}>): ${message}`);
const unknown = says("unknown user");
const mismatch = says("Password mismatch");
const unknownThere = says("unknown user", "sql");
const noToken = says("oauth2 failed: Introspection failed: Provided token is not valid", "oauth2");
const noHome = (second: number, { user = "bob", session = id(1) }: Who = {}) =>
  line(
    second,
    `dovecot: auth: Error: passwd-file(${user},${A},<${session}>): user not found from userdb`,
  );
const MTA = (second: number, message: string, user = "bob") =>
  line(second, `dovecot: auth: passwd-file(${user},${A}): ${message}`);

/** PAM names the user again where the system has him. */
const pam = (second: number, { user = "bob", isKnown = false, module = "pam_unix" } = {}) =>
  line(
    second,
    `auth: ${module}(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=${user} rhost=${A} ${isKnown ? ` user=${user}` : ""}`,
  );

function ends(head: string) {
  return (second: number, { user = "bob", session = id(1) }: Who = {}) => {
    const id = session === "" ? "" : `, session=<${session}>`;
    const elements = `user=<${user}>, method=PLAIN, rip=${A}, lip=192.0.2.25, TLS${id}`;
    return line(second, `dovecot: imap-login: ${head}: ${elements}`);
  };
}
const letIn = ends("Login");
const refused = (attempts: number) =>
  ends(`Disconnected: Connection closed (auth failed, ${attempts} attempts in 9 secs)`);
const internal = ends("Disconnected: Logged out (internal failure, 1 successful auths)");

interface Logs {
  mail?: readonly string[];
  auth?: readonly string[];
}

/** Attempts of these logs, each read as a whole, in the order that is given. */
function total(logs: Logs): number {
  const ledger = createLedger({ mode: "normal" });
  for (const source of Object.keys(logs)) ledger.join(source);
  const failures: Failure[] = [];
  for (const [source, lines] of Object.entries(logs) as [string, readonly string[]][]) {
    const detector = createDetector({ source, ledger });
    for (const each of lines) failures.push(...detector.feed(Buffer.from(each), 0, START));
  }
  return attemptsLeft(failures, ledger);
}

/** What is left of the attempts of these failures, by what the ledger has withdrawn since the last call. */
function attemptsLeft(failures: readonly Failure[], ledger: Ledger): number {
  const withdrawn = new WithdrawnAttempts();
  withdrawn.note(ledger.takeWithdrawn());
  return failures.reduce((sum, failure) => sum + withdrawn.attemptsLeft(failure), 0);
}
const mail = (...lines: string[]) => total({ mail: lines });
const five = [1, 2, 3, 4, 5].map((number) => ({ session: id(number) }));

test("the right password behind an earlier passdb is no failure, also before any session has ended", () => {
  assert.equal(mail(unknown(1), letIn(1.1)), 0);
  const lines = [...five.map((who) => unknown(1, who)), ...five.map((who) => letIn(1.2, who))];
  assert.equal(mail(...lines), 0);
});

test("nor behind two of them", () => {
  assert.equal(mail(unknown(1), unknownThere(1), letIn(1.1)), 0);
});

test("once it is known that a success may come behind a passdb, its refusal waits for the next line", () => {
  const other = { session: id(2), user: "eve" };
  assert.equal(mail(unknown(1), letIn(1.1), unknown(2, other)), 0);
  assert.equal(mail(unknown(1), letIn(1.1), unknown(2, other), refused(1)(5, other)), 1);
  assert.equal(mail(unknown(1), letIn(1.1), mismatch(2, other)), 1);
});

test("a wrong password before the right one is a failure", () => {
  assert.equal(mail(mismatch(1), letIn(3.2)), 1);
  assert.equal(mail(unknown(1), letIn(3.2)), 1);
  // The passdb knows the user: it was a typing error, however soon the right one came.
  assert.equal(mail(mismatch(1), letIn(1.1)), 1);
});

test("who is let in is who was refused, perhaps with his domain, or it was another attempt", () => {
  assert.equal(mail(unknown(1), letIn(1.1, { user: "bob@example.org" })), 0);
  assert.equal(mail(unknown(1), letIn(1.1, { user: "eve" })), 1);
});

test("passdbs with names of their own tell attempts apart, however close", () => {
  const named = (second: number, passdb: string, message: string) =>
    line(second, `dovecot: auth(bob,${A},sasl:plain)<${id(1)}>: ${passdb}: ${message}`);
  const attempt = (second: number) => [
    named(second, "first", "Password mismatch"),
    named(second, "second", "unknown user"),
  ];
  assert.equal(mail(...attempt(1), ...attempt(1.05), ...attempt(1.1), letIn(4)), 3);
});

test("what nobody was let in behind, a few times, no longer waits", () => {
  const ledger = createLedger({ mode: "normal" });
  const detector = createDetector({ source: "mail", ledger });
  const waits = [1, 5, 9, 13, 17].map((second, index) => {
    const [failure] = detector.feed(
      Buffer.from(unknown(second, { session: id(index) })),
      0,
      START + second * 1000,
    );
    return (failure?.provisional?.until ?? 0) > START + second * 1000;
  });
  assert.deepEqual(waits, [true, true, true, false, false]);
});

test("a plain wrong password never waits", () => {
  const ledger = createLedger({ mode: "normal" });
  const detector = createDetector({ source: "mail", ledger });
  assert.equal(detector.feed(Buffer.from(mismatch(1)), 0, START)[0]?.provisional, undefined);
});

test("where the end names no session, passdbs in a row are told apart all the same", () => {
  const nameless = { session: "" };
  const first = [mismatch(1), unknownThere(1), refused(1)(4, nameless)];
  assert.equal(mail(...first), 1);
  const bob = { session: id(2) };
  assert.equal(mail(...first, unknown(9, bob), letIn(9.1, nameless)), 1);
  assert.equal(mail(unknown(9, bob), letIn(9.1, nameless)), 0);
});

test("who is right, but not in the userdb, has not failed", () => {
  assert.equal(mail(unknown(1), noHome(1)), 0);
  const known = [mismatch(1), refused(1)(4)];
  const bob = { session: id(2) };
  assert.equal(mail(...known, unknown(9, bob), noHome(9, bob)), 1);
  assert.equal(mail(...known, mismatch(7, bob), unknown(9, bob), noHome(9, bob)), 2);
});

test("a refused token is one attempt, also where passdbs are asked about it as about a password", () => {
  assert.equal(mail(noToken(1), mismatch(1), refused(1)(4)), 1);
  assert.equal(mail(noToken(1), mismatch(1), noToken(4), mismatch(4), refused(2)(9)), 2);
  assert.equal(mail(noToken(1), noToken(4), letIn(7)), 2);
});

test("an MTA's users who are right behind an earlier passdb have not failed, where the chain is known", () => {
  const known = [mismatch(1), unknownThere(1), refused(1)(4)];
  const rightAgainAndAgain = [10, 70, 130, 190, 250].map((at) => MTA(at, "unknown user"));
  assert.equal(mail(...known, ...rightAgainAndAgain), 1);
});

test("PAM's refusal of whom it does not know is none where another passdb lets him in", () => {
  assert.equal(total({ auth: [pam(1)], mail: [letIn(3.1)] }), 0);
  assert.equal(total({ mail: [letIn(3.1)], auth: [pam(1)] }), 0);
  assert.equal(total({ auth: [pam(1)], mail: [internal(3.1)] }), 0);
});

test("nor of several connections at once", () => {
  const all = { auth: five.map(() => pam(1)), mail: five.map((who) => letIn(3.1, who)) };
  assert.equal(total(all), 0);
  assert.equal(total({ mail: all.mail, auth: all.auth }), 0);
});

test("who is let in takes no other's attempt away, whichever log is read first", () => {
  const eve = { user: "eve", session: id(2) };
  const auth = [pam(1, { user: "eve" }), pam(1.1), pam(5, { user: "eve" })];
  const lines = [letIn(3.1), refused(2)(9, eve)];
  assert.equal(total({ auth, mail: lines }), 2);
  assert.equal(total({ mail: lines, auth }), 2);
});

test("a wrong password before PAM's refusal of the right one is a failure", () => {
  assert.equal(total({ auth: [pam(1), pam(5.2)], mail: [letIn(7.3)] }), 1);
});

test("whom PAM knows it has refused, whoever is let in afterwards", () => {
  assert.equal(total({ auth: [pam(1, { isKnown: true })], mail: [letIn(3.1)] }), 1);
});

test("where no login is ever seen PAM's lines wait for none", () => {
  const ledger = createLedger({ mode: "normal" });
  ledger.join("auth");
  const detector = createDetector({ source: "auth", ledger });
  assert.equal(detector.feed(Buffer.from(pam(1)), 0, START)[0]?.provisional, undefined);
});

test("nor where many logins had no refusal of PAM before them", () => {
  const ledger = createLedger({ mode: "normal" });
  const [auth, log] = ["auth", "mail"].map((source) => createDetector({ source, ledger }));
  const feed = (text: string) => auth!.feed(Buffer.from(text), 0, START);
  assert.notEqual(feed(pam(1, { user: "eve" }))[0]?.provisional, undefined);
  for (let number = 0; number < 50; number += 1) {
    log!.feed(Buffer.from(letIn(10 + number, { session: id(number) })), 0, START);
  }
  assert.equal(feed(pam(90, { user: "eve" }))[0]?.provisional, undefined);
  feed(pam(100));
  log!.feed(Buffer.from(letIn(102.1, { session: id(60) })), 0, START);
  assert.notEqual(feed(pam(110, { user: "eve" }))[0]?.provisional, undefined);
});

test("a PAM that is slower than is waited for counts with the connection's end, from the first time on", () => {
  const ledger = createLedger({ mode: "normal" });
  const [auth, log] = ["auth", "mail"].map((source) => createDetector({ source, ledger }));
  ledger.join("auth");
  const count = (failures: Failure[]) => attemptsLeft(failures, ledger);
  auth!.feed(Buffer.from(pam(1)), 0, START);
  log!.feed(Buffer.from(letIn(6)), 0, START);
  assert.equal(count(auth!.feed(Buffer.from(pam(10, { user: "eve" })), 0, START)), 0);
  const eve = { user: "eve", session: id(2) };
  assert.equal(count(log!.feed(Buffer.from(refused(1)(16, eve)), 0, START)), 1);
});

test("a line that ends somebody else's attempt takes nothing of its own user's", () => {
  const refusedByPam = says("pam_authenticate() failed: Authentication failure", "pam");
  const [first, alice, eve] = [
    { session: id(1) },
    { user: "alice", session: id(2) },
    { user: "eve", session: id(3) },
  ];
  const ledger = createLedger({ mode: "normal" });
  const [log, auth] = ["mail", "auth"].map((source) => createDetector({ source, ledger }));
  const count = (detector: typeof log, text: string) =>
    attemptsLeft(detector!.feed(Buffer.from(text), 0, START), ledger);
  count(log, unknown(1, first) + refusedByPam(3, first) + refused(1)(4, first));
  assert.equal(count(log, unknown(10, alice) + unknown(10.5, eve)), 0);
  assert.equal(count(auth, pam(10.8, { user: "alice" }) + pam(11, { user: "eve" })), 2);
  assert.equal(count(log, unknown(11.1, { ...alice, user: "eve" })), 0);
  assert.equal(count(log, refusedByPam(12, eve)), 0);
});

test("two modules of PAM that refuse one password are one attempt", () => {
  const both = (at: number) => [
    pam(at, { isKnown: true }),
    pam(at + 0.02, { isKnown: true, module: "pam_sss" }),
  ];
  assert.equal(total({ auth: both(1), mail: [refused(1)(5)] }), 1);
  assert.equal(total({ auth: [...both(1), ...both(5)], mail: [refused(2)(9)] }), 2);
  assert.equal(total({ mail: [refused(1)(5)], auth: both(1) }), 1);
});
