/** Finds the addresses of this coordinator's machine and of the servers that it uses. */
import { hostname } from "node:os";
import type { NatsConnection } from "@nats-io/nats-core";
import { addressesOfServer, ownAddresses } from "../../nats/server-addresses.ts";
import { withoutLogin } from "../../nats/url.ts";
import { whyNeverRemote } from "../../wire/never-remote.ts";
import { hostToken } from "../../wire/subjects.ts";
import type { OwnAddress, OwnSurroundings } from "./own-machines.ts";

export interface SurroundingsOptions {
  id: string;
  /** `nats.url` of the configuration. */
  natsUrl: string;
  connection: Pick<NatsConnection, "getServer" | "info">;
  databaseUrl: string;
}

/** A function that looks again with every call. A name that cannot be looked up keeps its addresses. */
export function watchSurroundings(options: SurroundingsOptions): () => Promise<OwnSurroundings> {
  const { id, natsUrl, connection, databaseUrl } = options;
  const known = new Map<string, OwnAddress[]>();

  function servers(): { server: string; what: string }[] {
    const urls = [
      ...withoutLogin(natsUrl).split(","),
      connection.getServer(),
      ...(connection.info?.connect_urls ?? []),
    ];
    return [
      ...urls.map((server) => ({ server, what: "a NATS server" })),
      ...serversOf(databaseUrl).map((server) => ({ server, what: "PostgreSQL" })),
    ];
  }

  return async () => {
    await Promise.all(
      servers().map(async ({ server, what }) => {
        const found = await addressesOfServer(server);
        const name = `${what} (${server.replace(/^\w+:\/\//, "").replace(/\/$/, "")})`;
        if (found.length > 0)
          known.set(
            name,
            found.map((address) => ({ address, what: name })),
          );
      }),
    );
    const own = ownAddresses().map((address) => ({ address, what: `coordinator ${id}` }));
    const addresses = [...own, ...[...known.values()].flat()].filter(
      ({ address }) => whyNeverRemote(address) === undefined,
    );
    return { machine: hostToken(hostname()), addresses };
  };
}

/** The servers of a URL of PostgreSQL, which may name several; none where it names a socket. */
function serversOf(databaseUrl: string): string[] {
  const [, hosts = ""] = /^\w+:\/\/(?:[^@/]*@)?([^/?]*)/.exec(databaseUrl) ?? [];
  return hosts.split(",").filter((host) => host !== "" && !host.includes("%2F"));
}
