import assert from "node:assert/strict";
import { test } from "node:test";
import { createBanFilter } from "../../../../services/agent/enforce/ban-filter.ts";
import { createAllowlist } from "../../../../services/policy/allowlist.ts";
import { parseAddress, parseNetwork } from "../../../../services/wire/address.ts";

test("an entry of the allowlist for one jail keeps that jail's bans alone out of the kernel", () => {
  const allowlist = createAllowlist();
  const filter = createBanFilter({
    host: "mx1",
    settings: { allowed: allowlist.find, isJailOf: () => true },
    neverBan: { reason: () => undefined },
  });
  const address = parseAddress("198.51.100.7")!;
  const verdictOn = (jail: string, by: string) =>
    filter.judge({ jail, address, state: "active", until: null, by }, 0).type;
  const network = parseNetwork("198.51.100.0/24")!;
  const made = { comment: "", addedAt: 0, by: "operator alice", origin: "operator" } as const;
  allowlist.set({ v: 1, address: network, jail: "submission", ...made });
  assert.equal(verdictOn("submission", "decider"), "skipped");
  assert.equal(verdictOn("dovecot", "decider"), "applies");
  assert.equal(verdictOn("submission", "operator alice"), "applies");
  allowlist.set({ v: 1, address: network, ...made });
  assert.equal(verdictOn("dovecot", "decider"), "skipped");
});
