import assert from "node:assert/strict";
import { test } from "node:test";
import { warningsOf, type Conditions } from "../../../../services/agent/status/host-warnings.ts";

const fine: Conditions = {
  ...{ alone: undefined, state: undefined, publishing: undefined, logins: undefined },
  loginDigests: undefined,
  ...{ leftBehind: [], passedOver: [], ineffective: [], refusals: [], kernelRejected: undefined },
};

test("a host on which nothing is wrong warns of nothing", () => {
  assert.deepEqual(warningsOf(fine), []);
});

const CASES: readonly [string, Partial<Conditions>, string, RegExp][] = [
  [
    "failures that NATS does not store",
    { publishing: "maximum bytes exceeded" },
    "failures-not-stored",
    /not counted.*maximum bytes exceeded/,
  ],
  [
    "logins that fail for a reason of the host's own",
    { logins: "PAM's service file is missing" },
    "logins-broken",
    /PAM's service file is missing; automatic bans that it causes are held/,
  ],
  [
    "bans of a back end that is no longer in use",
    { leftBehind: ["2 bans of the back end ipset are still in force"] },
    "firewall-left-behind",
    /2 bans of the back end ipset/,
  ],
  [
    "bans that let packets through",
    { ineffective: ["nothing leads to the chain mail"] },
    "firewall-not-effective",
    /^bans are not effective: nothing leads to the chain mail$/,
  ],
  [
    "changes that the firewall refuses as a whole",
    { refusals: ["nft -f -: exit 1: Operation not permitted"] },
    "firewall-refuses",
    /run fleetban-agent check on the host.* nft -f -: exit 1: Operation not permitted$/,
  ],
  [
    "bans that the kernel refuses",
    { kernelRejected: { count: 2, reason: "Hash is full" } },
    "bans-rejected",
    /^2 bans are not in force on this host: Hash is full$/,
  ],
  [
    "a state that cannot be written",
    { state: "no space is left on the disk" },
    "state-not-written",
    /no space/,
  ],
];

for (const [sentence, conditions, expected, text] of CASES) {
  test(`it warns of ${sentence}`, () => {
    const [warning, ...more] = warningsOf({ ...fine, ...conditions });
    assert.equal(warning?.code, expected);
    assert.equal(warning.severity, "high");
    assert.match(warning.text, text);
    assert.deepEqual(more, []);
  });
}

test("it warns of logins that NATS does not store, which keeps nobody from being banned", () => {
  const [warning] = warningsOf({ ...fine, loginDigests: "permissions violation" });
  assert.deepEqual([warning?.code, warning?.severity], ["logins-not-stored", "medium"]);
  assert.match(warning?.text ?? "", /permissions violation.*fleetban key agent NAME --renew/);
});
