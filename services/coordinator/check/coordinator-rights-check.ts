/**
 * Whether NATS lets these credentials do what a coordinator does, tried without changing anything:
 * every subject that a coordinator publishes to is published to, with a message that no stream
 * stores and that no request of JetStream's takes.
 */
import {
  connect,
  createInbox,
  headers,
  PermissionViolationError,
  type NatsConnection,
} from "@nats-io/transport-node";
import type { CheckReport } from "../../nats/check.ts";
import { EXIT } from "../../process/exit.ts";
import type { NatsConfig } from "../../nats/nats-config.ts";
import { natsOptions } from "../../nats/connect.ts";
import { rightsOf } from "../../wire/rights.ts";

const WITHIN_MS = 3_000;
/** Stands for every wildcard of the rights: there is no key, consumer or operator of this name. */
const NOBODY = "fleetban-check";
/** At most this many subjects are named; the others are counted. */
const MOST_NAMED = 4;

export async function checkNatsRights(nats: NatsConfig, report: CheckReport): Promise<void> {
  const options = await natsOptions(nats, "fleetban-coordinator check");
  const connection = await connect({ ...options, timeout: WITHIN_MS });
  const { publish, subscribe, inbox } = rightsOf("coordinator", NOBODY);
  const refused = await refusedOf(connection, {
    publish: publish.map((pattern) => pattern.replace(/[*>]$/, NOBODY)),
    // A coordinator's inbox carries the name in its credentials.
    subscribe: subscribe.map((pattern) =>
      pattern.startsWith(inbox) ? createInbox(options.inboxPrefix) : pattern,
    ),
  });
  if (refused.length === 0) {
    report.ok("NATS rights", "may publish and read all that a coordinator does");
    return;
  }
  const named = refused.slice(0, MOST_NAMED).join(", ");
  const more = refused.length > MOST_NAMED ? ` and ${refused.length - MOST_NAMED} more` : "";
  const text = `NATS refuses ${named}${more} to these credentials: they must be a coordinator's`;
  report.failed("NATS rights", text, EXIT.permission);
}

/** The subjects that the server does not allow, as "publish SUBJECT"; closes the connection. */
async function refusedOf(
  connection: NatsConnection,
  { publish, subscribe }: { publish: readonly string[]; subscribe: readonly string[] },
): Promise<string[]> {
  const refused = new Set<string>();
  const listening = (async () => {
    for await (const status of connection.status()) {
      if (status.type !== "error" || !(status.error instanceof PermissionViolationError)) continue;
      const { operation, subject } = status.error;
      refused.add(`${operation === "publish" ? "publish" : "subscribe"} ${subject}`);
    }
  })();
  try {
    // The stream of a bucket refuses the message, because it names another stream. JetStream's API
    // refuses a request that does not repeat the stream of its subject.
    const elsewhere = headers();
    elsewhere.set("Nats-Expected-Stream", NOBODY);
    for (const subject of publish) connection.publish(subject, "{}", { headers: elsewhere });
    // Not in the coordinators' queue group: this one would take requests away from them.
    for (const subject of subscribe) connection.subscribe(subject, { callback: () => {} });
    await connection.flush();
  } finally {
    await connection.close();
  }
  await listening;
  return [...refused];
}
