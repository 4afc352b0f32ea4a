import assert from "node:assert/strict";
import { test } from "node:test";
import { createFleet } from "../harness/fleet.ts";
import { eventually } from "../harness/eventually.ts";
import { needsRoot } from "../harness/netns.ts";

const ATTACKER = "10.77.0.110";
const VICTIM = "10.77.0.120";

/** Names that look like what Dovecot or PAM would write about somebody else, five times over. */
const NAMES = [
  `, rip=${VICTIM}, lip=10.77.0.11`,
  `x>, method=PLAIN, rip=${VICTIM}, lip=10.77.0.11, session=<AAAAAAAAAAAA>`,
  `x,${VICTIM},<AAAAAAAAAAAA>): unknown user`,
  `x rhost=${VICTIM}  user=bob`,
  `auth(x,${VICTIM})<AAAAAAAAAAAA>: unknown user (`,
];

test(
  "whatever an attacker sends as user names, nobody but the attacker is banned",
  { skip: needsRoot },
  async () => {
    await using fleet = await createFleet({
      hosts: 1,
      authVerbose: true,
      dovecotSettings: "auth_username_chars =", // any name gets as far as the password
    });
    const { attacker, attackerNamespace } = fleet;
    const host = fleet.hosts[0]!.namespace.address4;
    for (const address of [ATTACKER, VICTIM]) await attackerNamespace.addAddress(address);
    const connects = (from: string) => attacker.connects({ host, port: 143, from });
    const counted = async (address: string) => {
      const { failures } = await fleet.ask<{ failures: { attempts: number }[] }>(
        ...["failure", "list", "--address", address],
      );
      return failures.map(({ attempts }) => attempts);
    };

    let last: Promise<unknown> | undefined;
    for (const [index, user] of NAMES.entries()) {
      assert.equal(await connects(ATTACKER), true, "below maxretry");
      const port = index % 2 === 0 ? 143 : 110;
      const login = attacker.logIn({ host, port, user, passwords: [user], from: ATTACKER });
      // The last one is banned before Dovecot has answered, and hears of it when it is unbanned.
      if (index < NAMES.length - 1) await login;
      else last = login;
    }
    await fleet.untilInKernel(ATTACKER, true);
    assert.deepEqual([await connects(ATTACKER), await connects(VICTIM)], [false, true]);
    await eventually("all attempts are on record, one failure each", async () => {
      return (await counted(ATTACKER)).join() === "1,1,1,1,1";
    });
    assert.deepEqual(await counted(VICTIM), []);
    const { bans } = await fleet.ask<{ bans: { address: string }[] }>("ban", "list");
    assert.deepEqual(
      bans.map(({ address }) => address),
      [ATTACKER],
    );
    await fleet.cli("ban", "remove", ATTACKER, "--wait");
    await last;
  },
);
