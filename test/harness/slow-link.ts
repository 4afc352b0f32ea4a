/** A way to a server on loopback that stands still for a while, as a bad link does. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface SlowLink extends AsyncDisposable {
  readonly port: number;
  /** Closes every connection; new ones are taken at once. */
  cut(): void;
  /** How often it has stood still. */
  stalls(): number;
}

export interface SlowLinkOptions {
  /** The server's port. */
  port: number;
  /** The link stands still when so many bytes have come from the server on one connection. */
  stallAfterBytes: number;
  stallMs: number;
}

export async function startSlowLink(options: SlowLinkOptions): Promise<SlowLink> {
  const sockets = new Set<Socket>();
  let stalls = 0;
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
  };
  const server = createServer((client) => {
    const upstream = connect(options.port, "127.0.0.1");
    keep(client);
    keep(upstream);
    client.pipe(upstream);
    upstream.on("close", () => client.destroy());
    client.on("close", () => upstream.destroy());
    let bytes = 0;
    upstream.on("data", (chunk) => {
      const isBefore = bytes < options.stallAfterBytes;
      bytes += chunk.length;
      client.write(chunk);
      if (!isBefore || bytes < options.stallAfterBytes) return;
      stalls += 1;
      upstream.pause();
      setTimeout(() => upstream.resume(), options.stallMs);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    stalls: () => stalls,
    async [Symbol.asyncDispose]() {
      server.close();
      cut();
      await once(server, "close");
    },
  };
}
