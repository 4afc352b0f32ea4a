/** Counts the messages of a bucket: says "ready" when NATS delivers, and "done" behind the last one. */
import { DeliverPolicy, jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";

const [port, stream = "", expected] = process.argv.slice(2);
const connection = await connect({ port: Number(port) });
const consumer = await jetstream(connection).consumers.get(stream, {
  deliver_policy: DeliverPolicy.All,
});
const messages = await consumer.consume();
process.stdout.write("ready\n");
for await (const { seq } of messages) {
  if (seq === Number(expected)) break;
}
process.stdout.write("done\n");
process.exit(0);
