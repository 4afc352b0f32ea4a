/**
 * A thousand interleavings of two operators and the decider on two coordinators and three hosts
 * (harness/interleavings.ts). The run fails with the seed where bucket, PostgreSQL and the kernels
 * do not say the same; FLEETBAN_SEED runs the same again.
 */
import { createFleet } from "../harness/fleet.ts";
import { assertBusy, INTERLEAVINGS_YAML, openInterleavings } from "../harness/interleavings.ts";
import type { Figure } from "./figure.ts";

const COUNT = 1_000;
const AT_ONCE = 50;

export async function run(): Promise<Figure[]> {
  const seed = Number(process.env["FLEETBAN_SEED"] ?? Date.now() % 2 ** 32);
  process.stderr.write(`interleavings: FLEETBAN_SEED=${seed}\n`);
  await using fleet = await createFleet({
    ...{ withDovecot: false, coordinators: 2, coordinatorYaml: INTERLEAVINGS_YAML },
  });
  await using interleavings = await openInterleavings(fleet, seed);
  const began = performance.now();
  for (let from = 0; from < COUNT; from += AT_ONCE) await interleavings.run(from, AT_ONCE);
  const seconds = (performance.now() - began) / 1000;
  const counts = interleavings.counts();
  assertBusy(counts);
  const figure = (name: string, value: number, unit: string): Figure => {
    return { name: `interleavings, ${name}`, value, unit };
  };
  return [
    figure("all equal at the end", COUNT, "of 1000"),
    figure("requests", counts.requests, "requests"),
    figure("refused because somebody was quicker", counts.refused, "requests"),
    figure("not answered in time", counts.unanswered, "requests"),
    figure("changes of bans", counts.changes, "changes"),
    figure("seconds", seconds, "s"),
  ];
}
