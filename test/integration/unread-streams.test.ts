/** Programs to which NATS refuses a stream: everybody is told, whichever coordinator is asked. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { decode, encodeUser, fmtCreds, type User } from "@nats-io/jwt";
import { createUser, fromSeed } from "@nats-io/nkeys";
import { rightsOf, type Role } from "../../services/wire/rights.ts";
import type { Reply } from "../../services/wire/api.ts";
import { eventually } from "../harness/eventually.ts";
import { cliOf, startSecuredAgent, startSecuredCoordinator } from "../harness/secured-programs.ts";
import { startSecuredFleet, type SecuredFleet } from "../harness/secured-fleet.ts";

let fleet: SecuredFleet;
before(async () => {
  fleet = await startSecuredFleet();
});
after(() => fleet[Symbol.asyncDispose]());

/** Credentials of the role without the rights that name `refused`, as an older version made them. */
async function weakCredentials(role: Role, name: string, refused: string): Promise<string> {
  const file = await fleet.credentials(role, name);
  const jwt = /BEGIN NATS USER JWT-----\s+(\S+)/.exec(readFileSync(file, "utf8"))?.[1] ?? "";
  const { nats } = decode<User>(jwt);
  const allow = rightsOf(role, name).publish.filter((subject) => !subject.includes(refused));
  const account = role === "agent" ? "hosts" : "fleet";
  const seed = readFileSync(join(fleet.folder, `${account}.seed`), "utf8").trim();
  const signer = fromSeed(new TextEncoder().encode(seed));
  const user = createUser();
  const weak = await encodeUser(name, user, signer, { ...nats, pub: { allow } });
  const path = join(fleet.folder, `${name}.weak.creds`);
  writeFileSync(path, fmtCreds(weak, user), { mode: 0o600 });
  return path;
}

test("what NATS does not let an agent or the leader read is a warning within a minute", async () => {
  const fleetban = cliOf(fleet, await fleet.credentials("operator", "root"));
  const warnings = async () => {
    const { stdout, stderr } = await fleetban("status", "--json");
    assert.notEqual(stdout, "", stderr);
    return (JSON.parse(stdout) as Reply<"status.show">).warnings;
  };
  const untilWarned = (code: string) =>
    eventually(code, async () => (await warnings()).find((each) => each.code === code), 60);

  {
    await using coordinator = await startSecuredCoordinator(fleet, "c1", {
      creds: await fleet.credentials("coordinator", "c1"),
    });
    await using agent = await startSecuredAgent(fleet, "mx1", {
      creds: await weakCredentials("agent", "mx1", "KV_fleetban_bans"),
    });
    await eventually("the host is up", async () => {
      return /^mx1 +up/m.test((await fleetban("host", "list")).stdout);
    });
    await fleetban("ban", "add", "198.51.100.7");
    const unread = await untilWarned("stream-not-read");
    assert.match(
      unread.text,
      /^host mx1: agent mx1 cannot read bans from NATS, so no new ban .*Permissions Violation.*key agent/,
    );
    assert.match((await untilWarned("host-late")).text, /^host mx1: it has not put into force/);
    assert.equal((await fleetban("status", "--exit-code")).code, 2);
    const listed = (await fleetban("host", "list")).stdout;
    assert.match(listed, /^mx1 +high: +agent mx1 cannot read bans/m);
    assert.match(listed, /^mx1 +high: +it has not put into force/m);
    assert.match(agent.log(), /"code":"stream-not-read"/);
    await eventually(
      "the coordinator's log says so, too",
      () => coordinator.log().includes('"code":"host-late","subject":"mx1"'),
      20,
    );
  }

  await using leader = await startSecuredCoordinator(fleet, "c2", {
    creds: await weakCredentials("coordinator", "c2", "FLEETBAN_FAILURES.>"),
  });
  await eventually("it leads", () => leader.log().includes("lease taken"));
  await using standby = await startSecuredCoordinator(fleet, "c3", {
    creds: await fleet.credentials("coordinator", "c3"),
  });
  await eventually(
    "each coordinator has said what it knows",
    () => {
      const said = [leader, standby].map((each) => each.log());
      return (
        said.every((log) => log.includes('"code":"decisions-late"')) &&
        said[0]?.includes("coordinator c2 cannot read failures from NATS")
      );
    },
    70,
  );
  assert.match((await untilWarned("decisions-late")).text, /^coordinator c2 holds the lease/);
  const complaints = leader.log().split("stream cannot be followed").length - 1;
  assert.equal(complaints, 1, "the log says it once");
  await leader.stop();
  await eventually(
    "the standby decides, and the warning is over",
    async () => {
      return !(await warnings()).some(({ code }) => code === "decisions-late");
    },
    30,
  );
});
