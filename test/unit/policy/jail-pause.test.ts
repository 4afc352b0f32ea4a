import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createJailPauses,
  endOfPause,
  isResumed,
  pauseJail,
  periodAt,
  resumeJail,
} from "../../../services/policy/jail-pause.ts";
import { jailPauseKey } from "../../../services/wire/subjects.ts";

const T0 = 1_790_000_000_000;
const order = (seconds: number, until: number | null = null) => ({
  ...{ by: "operator alice", reason: "migration", now: T0 + seconds * 1000 },
  until: until === null ? null : T0 + until * 1000,
});
const at = (seconds: number) => T0 + seconds * 1000;

test("a pause lasts until it is resumed, or ends by itself; earlier ones are remembered", () => {
  const first = pauseJail(undefined, order(0));
  assert.deepEqual([endOfPause(first), isResumed(first)], [null, false]);
  const resumed = resumeJail(first, order(10))!;
  assert.deepEqual([endOfPause(resumed), isResumed(resumed)], [at(10), true]);
  const second = pauseJail(resumed, order(20, 30));
  assert.equal(isResumed(second), false);
  const paused = [-1, 0, 9, 10, 15, 20, 29, 30].map(
    (second_) => periodAt(second, at(second_)) !== undefined,
  );
  assert.deepEqual(paused, [false, true, true, false, false, true, true, false]);
  assert.equal(resumeJail(second, order(30)), undefined, "it has ended by itself");
});

test("a jail that is paused already gets the new end, and its pause goes on from where it began", () => {
  const first = pauseJail(undefined, order(0, 60));
  const longer = pauseJail(first, order(30, 120));
  assert.deepEqual(longer.periods, [{ from: at(0), until: at(120) }]);
  assert.deepEqual(pauseJail(longer, order(40)).periods, [{ from: at(0), until: null }]);
});

test("pauses are of the entries of the bucket that there are", () => {
  const pauses = createJailPauses();
  const pause = pauseJail(undefined, order(0));
  pauses.noteSetting(jailPauseKey("dovecot"), { type: "jail-pause", pause });
  const { changes } = pauses;
  pauses.noteSetting("allow.192-0-2-1", undefined);
  assert.equal(pauses.changes, changes);
  const isPaused = () => pauses.isPausedAt("dovecot", at(1));
  assert.deepEqual([isPaused(), pauses.isPausedAt("submission", at(1))], [true, false]);
  pauses.noteSetting(jailPauseKey("dovecot"), undefined);
  assert.deepEqual([isPaused(), pauses.list(), pauses.changes], [false, [], changes + 1]);
});
