import { describe, test } from "node:test";
import { createDryRunFirewall } from "../../../../../services/agent/enforce/firewall/dry-run.ts";
import { FIREWALL_SUITE } from "../../../../harness/firewall-suite.ts";
import { refusable } from "../../../../harness/refusing-firewall.ts";

describe("the dry-run firewall", () => {
  for (const [sentence, check] of FIREWALL_SUITE) {
    test(sentence, () => {
      const kernel = { isRefusing: false };
      const firewall = createDryRunFirewall({ now: Date.now, say: () => {} });
      return check(refusable(firewall, kernel), kernel);
    });
  }
});
