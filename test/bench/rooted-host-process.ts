/**
 * Somebody who is root on a mail host, and has its agent's credentials: publishes failures that it
 * made up, as fast as NATS takes them.
 *
 *   rooted-host-process.ts URL HOST ADDRESSES   prints how many milliseconds that took
 */
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { encodeFailureBatch } from "../../services/wire/failure.ts";
import { failureSubject } from "../../services/wire/subjects.ts";
import { benchAddress } from "./failures.ts";

const [url = "", host = "", count = ""] = process.argv.slice(2);
const ADDRESSES = Number(count);
const BATCH = 400;
const UNDER_WAY = 100;

const connection = await connect({ servers: url });
const js = jetstream(connection);
const began = performance.now();
let underWay: Promise<unknown>[] = [];
for (let from = 0; from < ADDRESSES; from += BATCH) {
  const length = Math.min(BATCH, ADDRESSES - from);
  const failures = Array.from({ length }, (_, index) => {
    const at = Date.now();
    // One failure stands for as many attempts as a jail takes: no honest agent has to send more.
    return { position: from + index + 1, address: benchAddress(from + index), at, attempts: 5 };
  });
  const bytes = encodeFailureBatch({
    ...{ v: 1, host, jail: "dovecot", source: "mail-log", epoch: "rooted", sentAt: Date.now() },
    ...{
      from,
      to: from + length,
      failures: failures.map((each) => ({ ...each, form: "made-up" })),
    },
  });
  underWay.push(js.publish(failureSubject("dovecot", host), bytes));
  if (underWay.length < UNDER_WAY) continue;
  await Promise.all(underWay);
  underWay = [];
}
await Promise.all(underWay);
process.stdout.write(`${performance.now() - began}\n`);
await connection.close();
