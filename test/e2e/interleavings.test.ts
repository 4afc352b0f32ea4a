import { test } from "node:test";
import { createFleet } from "../harness/fleet.ts";
import { assertBusy, INTERLEAVINGS_YAML, openInterleavings } from "../harness/interleavings.ts";
import { needsRoot } from "../harness/netns.ts";

/** As many as take some seconds; `npm run bench -- interleavings` runs a thousand. */
const COUNT = 96;

test(
  "two operators and the decider at once leave bucket, PostgreSQL and three kernels equal",
  { skip: needsRoot },
  async (t) => {
    const seed = Number(process.env["FLEETBAN_SEED"] ?? Date.now() % 2 ** 32);
    t.diagnostic(`FLEETBAN_SEED=${seed}`);
    const coordinatorYaml = INTERLEAVINGS_YAML;
    await using fleet = await createFleet({ withDovecot: false, coordinators: 2, coordinatorYaml });
    await using interleavings = await openInterleavings(fleet, seed);
    await interleavings.run(0, COUNT / 2);
    await interleavings.run(COUNT / 2, COUNT / 2);
    assertBusy(interleavings.counts());
  },
);
