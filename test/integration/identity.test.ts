/** Who somebody is: on record as NATS knows them, and one agent to a name. Real programs, real credentials. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Kvm } from "@nats-io/kv";
import { ERROR_CODE_HEADER } from "../../services/wire/api-headers.ts";
import { BANS_BUCKET } from "../../services/wire/subjects.ts";
import { eventually } from "../harness/eventually.ts";
import { startSecuredFleet, type SecuredFleet } from "../harness/secured-fleet.ts";
import {
  cliOf,
  startSecuredAgent,
  startSecuredCoordinator,
  type SecuredProgram,
} from "../harness/secured-programs.ts";

let fleet: SecuredFleet;
let coordinator: SecuredProgram;
let alice: ReturnType<typeof cliOf>;
let aliceFile: string;

before(async () => {
  fleet = await startSecuredFleet();
  const creds = await fleet.credentials("coordinator", "c1");
  aliceFile = await fleet.credentials("operator", "alice");
  alice = cliOf(fleet, aliceFile);
  coordinator = await startSecuredCoordinator(fleet, "c1", { creds });
  await eventually("it is ready", () => coordinator.log().includes("coordinator is ready"), 30);
});
after(async () => {
  await coordinator.stop();
  await fleet[Symbol.asyncDispose]();
});

test("a ban is on record under the name that NATS has authenticated", async () => {
  const added = await alice("ban", "add", "198.51.100.7");
  assert.equal(added.code, 0, added.stderr);
  const list = await alice("ban", "list", "--json");
  const { bans } = JSON.parse(list.stdout) as { bans: { by: string }[] };
  assert.deepEqual(
    bans.map(({ by }) => by),
    ["operator alice"],
  );
});

test("nobody can command in another's name, nor say in a request who they are", async () => {
  const mallory = await fleet.connect(await fleet.credentials("operator", "mallory"));
  const request = { address: "198.51.100.8", jail: "dovecot", reason: "", replace: false };
  const body = JSON.stringify({ ...request, wait: null });
  await assert.rejects(
    mallory.request("fleetban.api.ban.add.alice", body, { timeout: 2_000 }),
    /Permissions Violation/,
  );
  const claimed = JSON.stringify({ ...request, wait: null, by: "operator alice" });
  const reply = await mallory.request("fleetban.api.ban.add.mallory", claimed);
  assert.equal(reply.headers?.get("Nats-Service-Error-Code"), "400");
  await mallory.request("fleetban.api.ban.add.mallory", body);
  const list = await alice("ban", "list", "--address", "198.51.100.8", "--json");
  assert.match(list.stdout, /"by": "operator mallory"/);
});

test("a viewer asks, and is told plainly that it may not command: 77", async () => {
  const bob = cliOf(fleet, await fleet.credentials("viewer", "bob"));
  for (const args of [["status"], ["host", "list"], ["ban", "list"], ["allow", "list"]]) {
    const { code, stderr } = await bob(...args);
    assert.equal(code, 0, stderr);
  }
  for (const args of [
    ["ban", "add", "198.51.100.9"],
    ["ban", "remove", "198.51.100.7"],
    ["allow", "add", "192.0.2.1"],
    ["allow", "remove", "192.0.2.1"],
  ]) {
    const { code, stderr } = await bob(...args);
    assert.match(
      stderr,
      /^fleetban: NATS at \S+ [^\n]*: bob is a viewer and may not ask for (?:ban|allow) (?:add|remove); fleetban key operator [^\n]*\n$/,
    );
    assert.equal(code, 77);
  }
});

test("who may only ask cannot have the answer written where a coordinator may write", async () => {
  const eve = await fleet.connect(await fleet.credentials("viewer", "eve"));
  const watcher = await fleet.connect(await fleet.credentials("coordinator", "c9"));
  const bucket = await new Kvm(watcher).open(BANS_BUCKET);
  const reply = `$KV.${BANS_BUCKET}.dovecot.192-0-2-9`;
  for (const endpoint of ["status.show", "ban.list", "nothing.show"]) {
    eve.publish(`fleetban.api.${endpoint}.eve`, "{}", { reply });
  }
  // Its own question is answered, and those before it are done with.
  const answered = await eve.request("fleetban.api.status.show.eve", "{}");
  assert.equal(answered.headers?.has(ERROR_CODE_HEADER), false);
  assert.equal(await bucket.get("dovecot.192-0-2-9"), null);
});

test("a second agent of one name is refused and shown; a restarted one is not", async () => {
  const creds = await fleet.credentials("agent", "mx1");
  await using first = await startSecuredAgent(fleet, "mx1", { creds });
  const isListed = async () => {
    const { stdout } = await alice("host", "list");
    return /^mx1 +up/m.test(stdout) && stdout;
  };
  await eventually("it is listed", isListed, 20);
  await first.stop("SIGKILL");
  await first.start();
  const workings = () => first.log().match(/agent is at work/g)?.length;
  await eventually("it is at work again", () => workings() === 2, 20);

  await using second = await startSecuredAgent(fleet, "mx1-clone", { creds, host: "mx1" });
  assert.equal(await second.child().ended, 78);
  assert.match(
    second.log(),
    /fleetban-agent: another agent is at work as host mx1 on [^\n]*, since [^\n]*: give this one a name/,
  );
  const shown = await eventually("it is shown", isListed);
  assert.match(shown, /\nmx1 +high: +a second agent calls itself mx1, on [\d.]+.*and is refused/);
  assert.match((await alice("status")).stdout, /host mx1: a second agent calls itself mx1/);

  // The first goes on all the while, and may be restarted.
  assert.equal(workings(), 2);
  await first.stop("SIGKILL");
  await first.start();
  await eventually("it is at work once more", () => workings() === 3, 20);
  const ended = await Promise.race([
    first.child().ended,
    eventually(
      "the warning ends",
      async () => !String(await isListed()).includes("second agent"),
      60,
    ),
  ]);
  assert.equal(ended, true, "the restarted agent goes on");
});
