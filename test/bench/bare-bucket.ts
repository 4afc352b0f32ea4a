/**
 * What NATS alone needs for bans: one client writes each as an entry of a bucket, and three others
 * read them. Nothing is decided, recorded or brought into a kernel. No way that writes a ban as an
 * entry is quicker.
 */
import { once } from "node:events";
import { spawn, type ChildProcess } from "node:child_process";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { Kvm } from "@nats-io/kv";
import { connect } from "@nats-io/transport-node";
import { bucketStream } from "../../services/nats/follow-bucket.ts";
import { BANS_BUCKET } from "../../services/wire/subjects.ts";
import { writeBans } from "../harness/agent-host.ts";
import { startTestNats } from "../harness/servers.ts";

const FOLLOWERS = 3;

/** Returns the seconds from the first write until every follower has read the last one. */
export async function throughBareBucket(addresses: readonly string[]): Promise<number> {
  const nats = await startTestNats();
  const started: ChildProcess[] = [];
  try {
    const connection = await connect({ port: nats.port });
    await new Kvm(connection).create(BANS_BUCKET, { history: 1 });
    const script = resolve(import.meta.dirname, "bare-bucket-follower.ts");
    const args = [String(nats.port), bucketStream(BANS_BUCKET), String(addresses.length)];
    const followers = Array.from({ length: FOLLOWERS }, () => {
      const follower = spawn(process.execPath, ["--import", "tsx", script, ...args], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      started.push(follower);
      const lines = createInterface({ input: follower.stdout });
      return { ready: once(lines, "line"), done: once(follower, "exit") };
    });
    await Promise.all(followers.map(({ ready }) => ready));
    const began = performance.now();
    await writeBans(connection, addresses);
    await Promise.all(followers.map(({ done }) => done));
    const seconds = (performance.now() - began) / 1000;
    await connection.close();
    return seconds;
  } finally {
    for (const follower of started) follower.kill("SIGKILL");
    await nats[Symbol.asyncDispose]();
  }
}
