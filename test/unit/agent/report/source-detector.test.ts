/** What a source does with a filter that the agent's version cannot compile. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createSourceDetector } from "../../../../services/agent/report/source-detector.ts";
import { createLedger } from "../../../../services/detection/attempts/attempt-ledger.ts";
import { LOCAL_ZONE } from "../../../../services/detection/lines/zone.ts";
import { JAIL } from "../../../harness/jail.ts";

const USABLE = { ...JAIL, failregex: ["refused <HOST>"] };
const UNUSABLE = { ...JAIL, failregex: ["refused (?<host"] };

function setUp() {
  const reasons: string[] = [];
  const detector = createSourceDetector({
    ...{ source: "mail", jail: JAIL.name, ledger: createLedger({ mode: "normal" }) },
    log: { zone: LOCAL_ZONE, writers: "dovecot" },
    onUnusable: (reason) => reasons.push(reason),
  });
  return { detector, reasons };
}

test("a filter that cannot be compiled is not used, and stays a fault until the jail has another", () => {
  const { detector, reasons } = setUp();
  detector.learn([UNUSABLE]);
  detector.learn([UNUSABLE]);
  assert.equal(detector.current(), undefined);
  assert.match(detector.unusable() ?? "", /failregex/);
  assert.equal(reasons.length, 1);
  detector.learn([USABLE]);
  assert.equal(detector.unusable(), undefined);
  assert.ok(detector.current());
});

test("the filter of before counts where the next one cannot be compiled", () => {
  const { detector } = setUp();
  detector.learn([USABLE]);
  const before = detector.current();
  detector.learn([UNUSABLE]);
  assert.equal(detector.current(), before);
  assert.match(detector.unusable() ?? "", /failregex/);
});
