import assert from "node:assert/strict";
import { test } from "node:test";
import { compileFilter } from "../../../../services/detection/filter/filter.ts";
import { createFilterDetector } from "../../../../services/detection/filter/filter-detector.ts";
import { lookedAt, MOST_LOOKED_AT } from "../../../../services/detection/filter/looked-at.ts";

const PAM = String.raw`dovecot.*pam_unix.*(?:authentication failure).*rhost=(?:::f{4,6}:)?(?P<host>\S*)`;
const lineOf = (user: string) =>
  `Mar  3 18:00:01 mx1 dovecot(pam_unix)[26236]: authentication failure; ruser=${user} rhost=198.51.100.7\n`;

test("a failure counts although its user name was padded to make the line long", () => {
  const detector = createFilterDetector(compileFilter({ failregex: [PAM] }));
  const lines = lineOf("x".repeat(60_000)) + lineOf("info@example.com");
  const failures = detector.feed(Buffer.from(lines), 0, Date.now());
  assert.deepEqual(
    failures.map(({ address }) => address),
    ["198.51.100.7", "198.51.100.7"],
  );
  assert.equal(detector.shortened, 1, "the long line is known not to have been looked at whole");
});

test("a filter looks at no more of a line than its bound", () => {
  const whole = "x".repeat(MOST_LOOKED_AT);
  assert.equal(lookedAt(whole), whole);
  const long = `begin ${"x".repeat(60_000)} end`;
  assert.equal(lookedAt(long).length, MOST_LOOKED_AT);
  assert.match(lookedAt(long), /^begin x+ end$/);
});

test("work on a line stops between the expressions, and finds the same in the end", () => {
  const rules = { failregex: ["one <HOST>", "two <HOST>", "three <HOST>"] };
  const detector = createFilterDetector(compileFilter(rules));
  const lines = Buffer.from("three 192.0.2.1\nnothing\n");
  const steps = detector.feedInSteps?.(lines, 0, 0) ?? assert.fail();
  let count = 0;
  let step = steps.next();
  for (; !step.done; step = steps.next()) count += 1;
  assert.ok(count >= 6, `${count} steps for two lines and three expressions`);
  assert.deepEqual(step.value, detector.feed(lines, 0, 0));
});
