/** Fills the stream of failures as a large fleet under attack does. */
import { jetstream } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { parseAddress, type Address } from "../../services/wire/address.ts";
import { encodeFailureBatch } from "../../services/wire/failure.ts";
import { failureSubject } from "../../services/wire/subjects.ts";

export interface StoredFailures {
  hosts: number;
  failures: number;
  /** Failures in one message. */
  batch: number;
}

const UNDER_WAY = 500;
/** So many of one address, on different hosts: below maxretry. */
const PER_ADDRESS = 4;

export async function storeFailures(
  connection: NatsConnection,
  { hosts, failures, batch }: StoredFailures,
): Promise<void> {
  const js = jetstream(connection);
  const now = Date.now();
  let underWay: Promise<unknown>[] = [];
  for (let message = 0; message * batch < failures; message += 1) {
    const host = `mx${message % hosts}`;
    const round = Math.floor(message / hosts);
    const [from, to] = [round * batch * 200, (round + 1) * batch * 200];
    const bytes = encodeFailureBatch({
      v: 1,
      host,
      jail: "dovecot",
      source: "mail-log",
      epoch: "bench",
      sentAt: Date.now(),
      from,
      to,
      failures: Array.from({ length: batch }, (_, index) => ({
        position: from + (index + 1) * 200,
        address: benchAddress((message * batch + index) % Math.ceil(failures / PER_ADDRESS)),
        at: now - 1000,
        attempts: 1,
        user: "info@example.org",
        service: "imap",
        session: "dhXQXP1gB8nGM2QH",
        form: "login-2.3-auth-failed",
      })),
    });
    underWay.push(js.publish(failureSubject("dovecot", host), bytes));
    if (underWay.length < UNDER_WAY) continue;
    await Promise.all(underWay);
    underWay = [];
  }
  await Promise.all(underWay);
}

/** Address number `index` of those that benches count and ban. */
export function benchAddress(index: number): Address {
  const text = `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`;
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return address;
}
