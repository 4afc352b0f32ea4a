/** Writes what a bench asks for into NATS, from inside the host's namespace. Answers when it began. */
import { createInterface } from "node:readline";
import { jetstream } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { connect } from "@nats-io/transport-node";
import { parseNetwork } from "../../services/wire/address.ts";
import { encodeAllowed, encodeJail } from "../../services/wire/settings.ts";
import { allowKey, jailKey, SETTINGS_BUCKET } from "../../services/wire/subjects.ts";
import { writeBans } from "../harness/agent-host.ts";
import { JAIL } from "../harness/jail.ts";
import { monotonicMs } from "./monotonic.ts";

const UNDER_WAY = 500;
const connection = await connect({ servers: "127.0.0.1:4222" });
const js = jetstream(connection);
const settings = await new Kvm(connection).open(SETTINGS_BUCKET);

async function allow(texts: readonly string[]): Promise<void> {
  const entries = texts.flatMap((text) => parseNetwork(text) ?? []);
  for (let from = 0; from < entries.length; from += UNDER_WAY) {
    const some = entries.slice(from, from + UNDER_WAY).map((address) => {
      const entry = { v: 1 as const, address, comment: "", addedAt: Date.now(), by: "bench" };
      const bytes = encodeAllowed({ ...entry, origin: "operator" });
      return js.publish(`$KV.${SETTINGS_BUCKET}.${allowKey({ address })}`, bytes, {
        timeout: 60_000,
      });
    });
    await Promise.all(some);
  }
}

for await (const line of createInterface(process.stdin)) {
  const [verb, ...args] = line.split(" ");
  const began = monotonicMs();
  if (verb === "ban") await writeBans(connection, args);
  if (verb === "allow") await allow(args);
  if (verb === "ports") {
    await settings.put(jailKey("dovecot"), encodeJail({ ...JAIL, ports: args.map(Number) }));
  }
  process.stdout.write(`${began}\n`);
}
await connection.close();
