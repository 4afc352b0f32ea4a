import assert from "node:assert/strict";
import { test } from "node:test";
import { versionOf } from "../../../../services/coordinator/decide/policy.ts";
import { JAIL } from "../../../harness/jail.ts";

const OTHER = { ...JAIL, name: "submission", network: { prefix4: 24, prefix6: 48 } };

test("a policy has the same version on every coordinator, in whatever order its file is written", () => {
  const { network, ...others } = OTHER;
  const turned = { network: { prefix6: network.prefix6, prefix4: network.prefix4 }, ...others };
  const jails = [JAIL, OTHER] as never;
  assert.match(versionOf(jails, 86_400), /^[0-9a-f]{8}$/);
  assert.equal(versionOf([turned, JAIL] as never, 86_400), versionOf(jails, 86_400));
});

test("every other number makes another version", () => {
  const versions = [
    versionOf([JAIL], 86_400),
    versionOf([JAIL], 86_401),
    versionOf([{ ...JAIL, maxretry: 6 }], 86_400),
    versionOf([{ ...JAIL, name: "other" }], 86_400),
    versionOf([JAIL, { ...JAIL, name: "other" }], 86_400),
  ];
  assert.equal(new Set(versions).size, versions.length);
});
