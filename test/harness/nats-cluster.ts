/** Three nats-servers that are one JetStream cluster, each to be killed and started by itself. */
import { join } from "node:path";
import * as z from "zod";
import { freePort, type Spawn } from "../../services/standalone/child.ts";
import { startNatsServer } from "../../services/standalone/nats-server.ts";
import { eventually } from "./eventually.ts";
import { restartable, type Restartable } from "./restartable.ts";

export type ClusterServer = Restartable & { name: string };

export interface NatsCluster {
  servers: ClusterServer[];
  /** All of them, for NATS_URL. */
  url: string;
  /** The server that leads a stream. */
  leaderOf(stream: string): Promise<ClusterServer>;
  /** Waits until every stream has a leader, and all its copies are as the leader's. */
  untilWhole(seconds?: number): Promise<void>;
}

export interface NatsClusterOptions {
  folder: string;
  address?: string;
  /** Inside a namespace. */
  spawn?: Spawn;
  /** Reads a URL, from where the servers can be reached. */
  read?: (url: string) => Promise<string>;
}

const streams = z.object({
  account_details: z
    .array(
      z.object({
        stream_detail: z
          .array(
            z.object({
              name: z.string(),
              cluster: z.object({
                leader: z.string().optional(),
                replicas: z
                  .array(z.object({ current: z.boolean(), offline: z.boolean().optional() }))
                  .optional(),
              }),
            }),
          )
          .optional(),
      }),
    )
    .optional(),
});

const SIZE = 3;
/** Failures, bans, settings, lease. */
const STREAMS = 4;

export async function startNatsCluster(options: NatsClusterOptions): Promise<NatsCluster> {
  const { folder, address = "127.0.0.1", spawn } = options;
  const read = options.read ?? (async (url) => (await fetch(url)).text());
  const ports = await Promise.all(
    Array.from({ length: SIZE }, async () => ({
      client: await freePort(),
      route: await freePort(),
      monitor: await freePort(),
    })),
  );
  const routes = ports.map(({ route }) => `nats://${address}:${route}`);
  const servers = await Promise.all(
    ports.map(async ({ client, route, monitor }, index) => {
      const name = `n${index + 1}`;
      const settings = [
        `server_name: ${name}`,
        `http: "${address}:${monitor}"`,
        `cluster { name: test, listen: "${address}:${route}", routes: ${JSON.stringify(routes)} }`,
      ];
      const server = await restartable((onOutput) =>
        startNatsServer({
          ...{ folder: join(folder, name), address, port: client, settings, onOutput },
          ...(spawn && { spawn }),
        }),
      );
      return { ...server, name };
    }),
  );

  /** Every stream, as the server that leads it sees it: the others do not know who is current. */
  async function look() {
    const found = await Promise.all(
      ports.map(async ({ monitor }, index) => {
        const text = await read(`http://${address}:${monitor}/jsz?streams=true`).catch(() => "{}");
        const { account_details: accounts = [] } = streams.parse(JSON.parse(text));
        return accounts
          .flatMap(({ stream_detail: each = [] }) => each)
          .filter(({ cluster }) => cluster.leader === servers[index]?.name);
      }),
    );
    return found.flat();
  }

  return {
    servers,
    url: ports.map(({ client }) => `nats://${address}:${client}`).join(","),
    leaderOf: (stream) =>
      eventually(`${stream} has a leader`, async () => {
        const leader = (await look()).find(({ name }) => name === stream)?.cluster.leader;
        return servers.find(({ name }) => name === leader);
      }),
    async untilWhole(seconds = 30) {
      await eventually(
        "every server has every stream",
        async () => {
          const led = await look();
          const isWhole = ({ cluster: { replicas = [] } }: (typeof led)[number]) =>
            replicas.length === SIZE - 1 &&
            replicas.every((each) => each.current && each.offline !== true);
          if (led.length === STREAMS && led.every(isWhole)) return true;
          throw new Error(JSON.stringify(led));
        },
        seconds,
      );
    },
  };
}
