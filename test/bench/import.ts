/**
 * A list of 100,000 addresses, from the start of `fleetban ban import` until all of them are in the
 * kernels of three hosts, counted there; then the same list again, of which nothing is new. Beside
 * it: the same entries through NATS alone.
 */
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFleet, type Fleet } from "../harness/fleet.ts";
import type { Namespace } from "../harness/netns.ts";
import { throughBareBucket } from "./bare-bucket.ts";
import type { Figure } from "./figure.ts";

const ADDRESSES = 100_000;
const SET = "fleetban-dovecot-4";

export async function run(): Promise<Figure[]> {
  const list = join(tmpdir(), `fleetban-import-${process.pid}.txt`);
  const address = (n: number) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
  const addresses = Array.from({ length: ADDRESSES }, (_, n) => address(n));
  writeFileSync(list, addresses.map((each) => `${each}\n`).join(""));
  const alone = await throughBareBucket(addresses);
  const fleet = await createFleet({ withDovecot: false });
  try {
    const first = await measure(fleet, list);
    const entries = await Promise.all(fleet.hosts.map(({ namespace }) => entriesIn(namespace)));
    if (entries.some((count) => count < ADDRESSES)) throw new Error(`in force: ${entries.join()}`);
    const again = await measure(fleet, list);
    return [
      {
        ...{ name: "import of 100,000 addresses", value: first, unit: "s", hosts: 3 },
        beside: { "NATS alone": alone },
      },
      { name: "the same list again", value: again, unit: "s", hosts: 3 },
    ];
  } finally {
    await fleet[Symbol.asyncDispose]();
  }
}

async function measure(fleet: Fleet, list: string): Promise<number> {
  const began = performance.now();
  const answer = await fleet.cli("ban", "import", list, "--for", "1d", "--yes", "--wait=60s");
  if (answer.code !== 0) throw new Error(`${answer.stdout}${answer.stderr}`);
  process.stderr.write(answer.stdout);
  return (performance.now() - began) / 1000;
}

/** How many addresses the kernel's set has. */
async function entriesIn({ run }: Namespace): Promise<number> {
  const listed = await run("ipset", ["list", "-terse", SET]);
  return Number(/^Number of entries: (\d+)$/m.exec(listed)?.[1] ?? 0);
}
