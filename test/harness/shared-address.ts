/** One address for several servers on loopback, as a proxy that knows which of them are up has it. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface SharedAddress extends AsyncDisposable {
  readonly port: number;
}

/** A connection goes to the first of the ports that takes it, and ends when either side ends it. */
export async function shareAddress(ports: readonly number[]): Promise<SharedAddress> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
  };

  async function reach(): Promise<Socket | undefined> {
    for (const port of ports) {
      const socket = connect(port, "127.0.0.1");
      try {
        await once(socket, "connect");
        return socket;
      } catch {
        socket.destroy(); // The server is down: the next one is tried.
      }
    }
    return undefined;
  }

  async function lead(client: Socket): Promise<void> {
    keep(client);
    const server = await reach();
    if (!server || client.destroyed) {
      client.destroy();
      server?.destroy();
      return;
    }
    keep(server);
    server.on("close", () => client.destroy());
    client.on("close", () => server.destroy());
    server.pipe(client);
    client.pipe(server);
  }

  const server = createServer((client) => void lead(client)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  };
}
