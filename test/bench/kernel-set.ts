/**
 * Asks the kernel whether an address is in a set, some 0.2 ms a question: one long-lived
 * `ipset -` answers, a process for each would take 4 ms.
 */
import { setTimeout as pause } from "node:timers/promises";
import { createIpsetSession } from "../../services/agent/firewall/ipset-session.ts";
import type { Namespace } from "../harness/netns.ts";

export interface KernelSet {
  has(address: string): Promise<boolean>;
  /** Asks again and again. */
  untilHas(address: string, seconds: number): Promise<void>;
  close(): void;
}

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
        await pause(1);
      }
    },
    close: () => session.close(),
  };
}
