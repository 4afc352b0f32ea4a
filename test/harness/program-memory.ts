/** The memory of a program that a test or a measurement starts, after a collection of its garbage. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { freePort } from "../../services/standalone/child.ts";

/** In bytes. */
export interface Memory {
  /** What is in use: objects, and the buffers beside them. */
  used: number;
  /** What the process has of the machine. */
  resident: number;
}

export interface MemoryProbe {
  /** What the program must be started with. */
  environment: Readonly<Record<string, string>>;
  read(): Promise<Memory>;
}

export async function probeMemory(): Promise<MemoryProbe> {
  const port = await freePort();
  const probe = pathToFileURL(join(import.meta.dirname, "memory-probe.js")).href;
  return {
    environment: {
      NODE_OPTIONS: `--import=${probe}`,
      FLEETBAN_TEST_MEMORY_PORT: String(port),
    },
    async read() {
      const response = await fetch(`http://127.0.0.1:${port}/`);
      const { rss, heapUsed, external } = (await response.json()) as NodeJS.MemoryUsage;
      return { used: heapUsed + external, resident: rss };
    },
  };
}
