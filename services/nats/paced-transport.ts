/**
 * The client's transport, which reads little at a time.
 *
 * Node hands over up to 2 MiB of a busy connection in one turn of the event loop, and the client
 * parses all of it before anything else has its turn. These are some 5,000 messages, or 50 ms. While
 * an agent reads 100,000 old bans, a new ban that has come by another connection would wait for that
 * several times.
 */
import {
  NatsConnectionImpl,
  setTransportFactory,
  type ConnectionOptions,
  type NatsConnection,
} from "@nats-io/transport-node";
import { nodeResolveHost, NodeTransport } from "@nats-io/transport-node/lib/node_transport.js";

/** After each piece that arrives, at most 64 KiB, everything else that waits has its turn. */
class PacedTransport extends NodeTransport {
  override setupHandlers(): void {
    super.setupHandlers();
    const { socket } = this;
    socket.on("data", () => {
      socket.pause();
      setImmediate(() => socket.resume());
    });
  }
}

/** As the client's own `connect`. A client that reconnects takes the transport that was set last. */
export function connect(options: ConnectionOptions): Promise<NatsConnection> {
  setTransportFactory({ factory: () => new PacedTransport(), dnsResolveFn: nodeResolveHost });
  return NatsConnectionImpl.connect(options);
}
