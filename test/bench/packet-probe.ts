/**
 * Connects from each address that it reads, again and again, to a port that nobody listens on: until
 * packets are dropped, every attempt is refused at once. Answers when they were dropped.
 */
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { monotonicMs } from "./monotonic.ts";

const [, , host = ""] = process.argv;
const PORT = 143;
const REST_MS = 0.25;
/** A refusal on the machine itself comes in the same turn. This long without one proves the drop. */
const PROOF_MS = 5;
const never = new Int32Array(new SharedArrayBuffer(4));

for await (const address of createInterface(process.stdin)) {
  let at = await whenDropped(address);
  while (at === undefined) {
    Atomics.wait(never, 0, 0, REST_MS);
    at = await whenDropped(address);
  }
  process.stdout.write(`${at}\n`);
}

/** undefined: the connection was refused. */
async function whenDropped(localAddress: string): Promise<number | undefined> {
  const at = monotonicMs();
  const socket = connect({ host, port: PORT, localAddress });
  const refused = once(socket, "connect").then(
    () => false,
    () => true,
  );
  const isRefused = await Promise.race([refused, sleep(PROOF_MS, false)]);
  socket.destroy();
  return isRefused ? undefined : at;
}
