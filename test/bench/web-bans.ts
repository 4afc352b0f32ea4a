/** How long it takes from the failure that completes an offence to the ban in the bucket. */
import { jetstream } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { parseAddress } from "../../services/wire/address.ts";
import { encodeFailureBatch } from "../../services/wire/failure.ts";
import { BANS_BUCKET, banKey, failureSubject } from "../../services/wire/subjects.ts";

const BANS = 200;
const ATTEMPTS = 5;
const PATIENCE_MS = 10_000;

let position = 0;

/** Milliseconds of each ban, one after the other. */
export async function measureBans(connection: NatsConnection): Promise<number[]> {
  const js = jetstream(connection);
  const times: number[] = [];
  for (let count = 0; count < BANS; count += 1) {
    position += 1;
    const address = parseAddress(`198.18.${position >> 8}.${position & 255}`);
    if (address === undefined) throw new Error(`no address: ${position}`);
    const written = untilWritten(connection, `$KV.${BANS_BUCKET}.${banKey("dovecot", address)}`);
    const bytes = encodeFailureBatch({
      ...{ v: 1, host: "mx1", jail: "dovecot", source: "log", epoch: "bench", sentAt: Date.now() },
      ...{ from: position - 1, to: position },
      failures: [{ position, address, at: Date.now(), attempts: ATTEMPTS, form: "bench" }],
    });
    const began = performance.now();
    void js.publish(failureSubject("dovecot", "mx1"), bytes);
    await written;
    times.push(performance.now() - began);
  }
  return times;
}

/** The bucket's own message is seen by whoever subscribes to its subject. */
function untilWritten(connection: NatsConnection, subject: string): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.subscribe(subject, {
      max: 1,
      timeout: PATIENCE_MS,
      callback: (error) => (error ? reject(error) : resolve()),
    });
  });
}
