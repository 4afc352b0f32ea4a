import assert from "node:assert/strict";
import { test } from "node:test";
import {
  FleetStatus,
  warningsOfRow,
  type FleetParts,
} from "../../../../services/coordinator/hosts/fleet-status.ts";

const STARTED = Date.UTC(2026, 10, 30);

/** A fleet whose coordinator has heard nobody. PostgreSQL, if it can be asked, has these hosts. */
function setUp(recorded: { host: string; lastSeenAt: number }[] | undefined) {
  const clock = { now: STARTED + 1_000 };
  const parts = {
    now: () => clock.now,
    startedAt: STARTED,
    hosts: { list: () => [], refused: () => new Map() },
    bans: { held: () => [] },
    quarantines: { of: () => undefined },
    machines: { hosts: () => new Map([["mx1", STARTED - 5_000_000]]) },
    history: {
      hosts: () => (recorded ? Promise.resolve(recorded) : Promise.reject(new Error("away"))),
    },
  };
  const fleet = new FleetStatus(parts as unknown as FleetParts);
  const list = async () =>
    (await fleet.hostRows()).map(({ host, awaited = false, lastSeenAt }) => {
      return { host, awaited, lastSeenAt };
    });
  return { clock, fleet, list };
}

test("a coordinator that has just started lists the fleet's hosts without having heard them, also without PostgreSQL", async () => {
  const { clock, fleet, list } = setUp(undefined);
  assert.deepEqual(await list(), [{ host: "mx1", awaited: true, lastSeenAt: STARTED - 5_000_000 }]);
  assert.deepEqual((await fleet.hostRows()).flatMap(warningsOfRow), []);
  clock.now = STARTED + 12_000;
  assert.deepEqual(await list(), [], "the bucket does not say when a host was heard last");
});

test("a host that is not heard is down when it has had the time to report", async () => {
  const lastSeenAt = STARTED - 20_000;
  const { clock, fleet, list } = setUp([{ host: "mx1", lastSeenAt }]);
  assert.deepEqual(await list(), [{ host: "mx1", awaited: true, lastSeenAt }]);
  clock.now = STARTED + 12_000;
  assert.deepEqual(await list(), [{ host: "mx1", awaited: false, lastSeenAt }]);
  assert.deepEqual(
    (await fleet.hostRows()).flatMap(warningsOfRow).map(({ code }) => code),
    ["host-down"],
  );
});

test("a host that is silent is not called current: nobody knows what its kernel has", async () => {
  const status = { host: "mx1", revision: 7, bansCreated: "bucket", warnings: [], sentAt: STARTED };
  const fleetOf = (isUp: boolean) =>
    new FleetStatus({
      ...{ now: () => STARTED, startedAt: STARTED - 60_000 },
      hosts: {
        ...{ list: () => [{ status, seenAt: STARTED }], isUp: () => isUp },
        refused: () => new Map(),
      },
      bans: { held: () => [], revision: () => 7, created: () => "bucket" },
      quarantines: { of: () => undefined },
      ...{ lateHosts: { warningOf: () => undefined }, clock: { hostWarnings: () => [] } },
      missed: { byHost: () => new Map(), hostWarnings: () => [] },
      history: { hosts: () => Promise.resolve([{ host: "mx1", lastSeenAt: STARTED }]) },
    } as unknown as FleetParts);
  const currentOf = async (isUp: boolean) => (await fleetOf(isUp).hostRows())[0]?.current;
  assert.equal(await currentOf(true), true);
  assert.equal(await currentOf(false), false);
});
