/**
 * Asks the kernel whether an address is in a set, some 0.1 ms a question: one long-lived
 * `ipset -` answers, a process for each would take 4 ms.
 *
 * Between two questions it sleeps for some 0.3 ms, which takes nothing from those who are
 * measured. Timers of Node would not come before 1 ms.
 */
import { createIpsetSession } from "../../services/agent/enforce/firewall/ipset/ipset-session.ts";
import type { Namespace } from "../harness/netns.ts";

export interface KernelSet {
  has(address: string): Promise<boolean>;
  /** Asks again and again. */
  untilHas(address: string, seconds: number): Promise<void>;
  close(): void;
}

const REST_MS = 0.25;
const never = new Int32Array(new SharedArrayBuffer(4));

export function openKernelSet(namespace: Namespace, set: string): KernelSet {
  const session = createIpsetSession(namespace.spawn);
  const has = async (address: string) => {
    const [said = ""] = await session.run([[`test ${set} ${address}`]]);
    return said.includes("is in set");
  };
  return {
    has,
    async untilHas(address, seconds) {
      const deadline = performance.now() + seconds * 1000;
      while (!(await has(address))) {
        if (performance.now() > deadline) throw new Error(`${address} is not in ${set}`);
        Atomics.wait(never, 0, 0, REST_MS);
      }
    },
    close: () => session.close(),
  };
}
