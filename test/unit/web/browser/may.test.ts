import assert from "node:assert/strict";
import { test } from "node:test";
import { may, type Command } from "../../../../services/web/browser/commands/may.ts";
import { ASKER_ROLES, mayAsk } from "../../../../services/wire/askers.ts";
import type { Endpoint } from "../../../../services/wire/api.ts";

/** What each command asks of the server. */
const ASKED: Readonly<Record<Exclude<Command, "allow-for-ever">, Endpoint>> = {
  ban: "ban.add",
  unban: "ban.remove",
  "lift-many": "ban.lift",
  held: "ban.release",
  allow: "allow.add",
  "allow-remove": "allow.remove",
  quarantine: "host.quarantine",
  simulate: "simulation.show",
};

test("a role is shown the commands that the server takes from it, and no others", () => {
  for (const role of ASKER_ROLES) {
    for (const [command, endpoint] of Object.entries(ASKED)) {
      const isShown = may(role, command as Command, "198.51.100.7");
      assert.equal(isShown, mayAsk(role, endpoint), `${role} ${command}`);
    }
  }
});

test("support is shown commands for what one customer may have", () => {
  for (const [address, isShown] of [
    ["198.51.100.7", true],
    ["198.51.100.0/31", false],
    ["2001:db8::1", true],
    ["2001:db8::/64", true],
    ["2001:db8::/63", false],
  ] as const) {
    assert.equal(may("support", "unban", address), isShown, address);
    assert.equal(may("support", "allow", address), isShown, address);
  }
});
