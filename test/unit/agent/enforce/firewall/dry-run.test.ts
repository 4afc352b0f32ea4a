import { describe, test } from "node:test";
import { createDryRunFirewall } from "../../../../../services/agent/enforce/firewall/dry-run.ts";
import { FIREWALL_SUITE } from "../../../../harness/firewall-suite.ts";

describe("the dry-run firewall", () => {
  for (const [sentence, check] of FIREWALL_SUITE) {
    test(sentence, () => check(createDryRunFirewall({ now: Date.now, say: () => {} })));
  }
});
