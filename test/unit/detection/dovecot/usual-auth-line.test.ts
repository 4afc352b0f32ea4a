import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readAnyAuthLine, readAuthLine } from "../../../../services/detection/dovecot/auth-line.ts";
import { readUsualHead } from "../../../../services/detection/dovecot/usual-auth-line.ts";

/** Pieces of auth lines; most of the time the usual one, so that many lines are usual. */
const part = (usual: string, ...others: string[]) =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(usual) }, fc.constantFrom(usual, ...others));

const hostile = fc
  .array(
    fc.constantFrom(
      ...["): ", ")<", ")", "(", ",", "<", ">", ",9.9.9.9", ",<ZrmCsAVgAcDAAAI3>", ",sasl:plain"],
      ...[",master", "unknown user", "Password mismatch", "given password: x", "304", "auth: "],
      ...["Info: ", "Debug: ", "Denied: ", "passwd-file(", "bob", " ", "é", "M-c", "\n"],
    ),
    { maxLength: 8 },
  )
  .map((pieces) => pieces.join(""));
const authLine = fc
  .tuple(
    fc.oneof(
      fc.constantFrom("auth: ", "auth-worker(304): ", "auth: Info: "),
      fc.constantFrom("auth-worker(304): Info: ", "auth: Error: ", "auth(default): ", "auth("),
    ),
    part("passwd-file(", "pam(", "imap(", "userdb(", "plain(", "policy(", "(", "a b("),
    fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom("bob", "bob@example.com", "?", "a b: c") },
      fc.constantFrom("", "a".repeat(64), "a".repeat(65), "M-c".repeat(20)),
      hostile,
    ),
    part(",192.0.2.7", ",::ffff:192.0.2.7", ",9.9", "", ",192.0.2.7,master"),
    part(",<ZrmCsAVgAcDAAAI3>", "", ",<>", `,<${"s".repeat(70)}>`, ",<a b>"),
    part("): ", ")", "):  ", ")<7>: "),
    fc.oneof(
      fc.constantFrom("Password mismatch", "unknown user", "Login failed (status=1)"),
      fc.constantFrom(
        ...["pam_authenticate() failed: Authentication failure (Password mismatch?)"],
        ...["pam_authenticate() failed: System error", "Empty username", "Denied: x", "invalid x"],
        ...["Password mismatch (given password: x)", "user not found from userdb", "nothing known"],
      ),
    ),
    fc.oneof({ weight: 3, arbitrary: fc.constant("") }, hostile),
  )
  .map((parts) => parts.join(""));

test("usual auth lines are read at once as they are read step by step", () => {
  let usual = 0;
  const readsTheSame = (text: string) => {
    if (readUsualHead(text) === undefined) return;
    usual += 1;
    assert.deepEqual(readAuthLine(text, { program: undefined }), readAnyAuthLine(text));
  };
  fc.assert(fc.property(fc.oneof(authLine, hostile), readsTheSame), { numRuns: 20_000 });
  assert.ok(usual > 2_000, `only ${usual} lines were usual`);
});
