/**
 * A door into a network namespace: servers inside are reached from the test's own process, through
 * ports of loopback. So a question to them costs a connection, and no program has to be started
 * inside for it.
 */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream";
import { startChild } from "../../services/standalone/child.ts";
import { eventually } from "./eventually.ts";
import type { Namespace } from "./netns.ts";

export interface Door extends AsyncDisposable {
  /** The URLs, separated by commas, as they are reached from outside: at ports of 127.0.0.1. */
  urls(inside: string): Promise<string>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Runs inside: the first line of a connection says where it leads to. */
const PROGRAM = `
  const { connect, createServer } = require("node:net");
  const { pipeline } = require("node:stream");
  createServer((outside) => {
    outside.once("data", (chunk) => {
      const end = chunk.indexOf("\\n");
      const [address, port] = chunk.subarray(0, end).toString().split(" ");
      outside.unshift(chunk.subarray(end + 1));
      pipeline(outside, connect(Number(port), address), outside, () => {});
    });
  }).listen(process.argv[1], () => console.log("open"));`;

/** A socket of a path is of no network namespace: it is the door. */
export async function openDoor(namespace: Namespace, folder: string): Promise<Door> {
  const path = join(folder, "door");
  const inside = await startChild(process.execPath, {
    args: ["-e", PROGRAM, path],
    spawn: namespace.spawn,
  });
  await eventually("the door is open", () => inside.lastWords().includes("open"));
  const servers: Server[] = [];
  const sockets = new Set<Socket>();

  const lead = (near: Socket, target: string) => {
    const far = connect(path);
    sockets.add(near);
    near.on("close", () => sockets.delete(near));
    far.write(`${target}\n`);
    pipeline(near, far, near, () => {});
  };

  const openPort = async (target: string): Promise<number> => {
    const server = createServer((near) => lead(near, target)).listen(0, "127.0.0.1");
    await once(server, "listening");
    servers.push(server);
    return (server.address() as AddressInfo).port;
  };
  const ports = new Map<string, Promise<number>>();
  const outside = async (text: string): Promise<string> => {
    const url = new URL(text);
    const target = `${url.hostname} ${url.port}`;
    const port = ports.get(target) ?? openPort(target);
    ports.set(target, port);
    url.host = `127.0.0.1:${await port}`;
    return url.href;
  };

  return {
    urls: async (inside) => (await Promise.all(inside.split(",").map(outside))).join(","),
    async [Symbol.asyncDispose]() {
      for (const server of servers) server.close();
      for (const socket of sockets) socket.destroy();
      await inside.stop("SIGKILL");
    },
  };
}
