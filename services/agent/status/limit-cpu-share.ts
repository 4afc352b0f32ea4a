import { performance } from "node:perf_hooks";

/** Work that is asked for regularly may take this part of the time. */
const SHARE = 100;

/** `work`, left out as long as it would take more than its part of the time. */
export function limitCpuShare(work: () => Promise<void>): () => Promise<void> {
  let notBefore = 0;
  return async () => {
    const began = performance.now();
    if (began < notBefore) return;
    await work();
    const ended = performance.now();
    notBefore = ended + (ended - began) * SHARE;
  };
}
