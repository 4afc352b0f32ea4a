/**
 * What a coordinator keeps of each address that has failed: a million addresses with three failures
 * each, in a jail with no further option and in one with all of them.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createWindows, type WindowOptions } from "../../services/policy/sliding-window.ts";
import { parseAddress, type Address } from "../../services/wire/address.ts";
import type { Figure } from "./figure.ts";

const ADDRESSES = 1_000_000;
const FAILURES = 3;
const HOSTS = 10;

const PLAIN: WindowOptions = { maxretry: 5, findtime: 1_200_000 };
const ALL: WindowOptions = {
  ...PLAIN,
  ...{ users: 4, domains: 4, decoys: ["oracle"], minhosts: 2, quorum: "local-first" },
  knownGood: { factor: 3, within: 7 * 86_400 },
  hasLoggedIn: () => false,
};

export function run(): Promise<Figure[]> {
  const addresses = Array.from({ length: ADDRESSES }, (_, index) => addressOf(index));
  const plain = bytesEach(addresses, PLAIN);
  const all = bytesEach(addresses, ALL);
  const beside = { addresses: ADDRESSES, "failures of each": FAILURES };
  return Promise.resolve([
    { name: "memory, no further options", value: plain, unit: "bytes an address", beside },
    { name: "memory, all options", value: all, unit: "bytes an address", beside },
  ]);
}

function addressOf(index: number): Address {
  const address = parseAddress(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`);
  if (!address) throw new Error(`no address: ${index}`);
  return address;
}

/** The addresses themselves are counted nowhere: the failures bring them. */
function bytesEach(addresses: readonly Address[], options: WindowOptions): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const windows = createWindows(options);
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let count = 0; count < FAILURES; count += 1) {
    addresses.forEach((address, index) => {
      const user = `user${index % 1_000}@example${count}.org`;
      const at = 1_790_000_000_000 + count;
      windows.add(address, `mx${(index + count) % HOSTS}`, { address, at, attempts: 1, user });
    });
  }
  collect();
  const after = process.memoryUsage().heapUsed;
  if (windows.size !== addresses.length) throw new Error(`${windows.size} are tracked`);
  return Math.round((after - before) / addresses.length);
}
