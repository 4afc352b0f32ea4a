/** Which TCP ports of this machine are listened on, as the kernel lists them. */
import { readFileSync } from "node:fs";

const TABLES = ["/proc/net/tcp", "/proc/net/tcp6"] as const;
/** `  1: 00000000:008F 00000000:0000 0A ...`: a local address in hexadecimal, and 0A for listening. */
const LISTENING = /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:0000 0A /gm;

/** One of these ports that something listens on; undefined: nothing does, or nobody can tell. */
export function findListeningPort(
  ports: readonly number[],
  read: (path: string) => string = readTable,
): number | undefined {
  const listening = new Set<number>();
  for (const table of TABLES) {
    for (const [, port = ""] of read(table).matchAll(LISTENING)) {
      listening.add(Number.parseInt(port, 16));
    }
  }
  return ports.find((port) => listening.has(port));
}

function readTable(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // a kernel without IPv6 has no tcp6
  }
}
