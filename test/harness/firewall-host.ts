/** A firewall back end in a network namespace of its own, a port behind it, and a client before it. */
import { once } from "node:events";
import type {
  Firewall,
  FirewallJail,
  FirewallKind,
} from "../../services/agent/enforce/firewall/firewall.ts";
import { openFirewall } from "../../services/agent/enforce/firewall/opening.ts";
import { createRemains, removeEverything } from "../../services/agent/enforce/firewall/remains.ts";
import { eventually } from "./eventually.ts";
import { JAIL } from "./firewall-suite.ts";
import { startMailClient, type MailClient } from "./mail-client.ts";
import { createNetwork, type Namespace, type Network } from "./netns.ts";

export const BACK_ENDS = ["ipset", "nftables", "iptables"] as const;

export interface FirewallHost extends AsyncDisposable {
  host: Namespace;
  /** Opens a back end on it, with the jail `JAIL` where no others are given. */
  open(
    kind: FirewallKind,
    chains?: readonly string[],
    jails?: readonly FirewallJail[],
  ): Promise<Firewall>;
  uninstall(): Promise<string[]>;
}

/** `network` has a host mx, where programs are run by `run`. */
export function firewallHost(network: Network, run = network.host("mx").run): FirewallHost {
  const host = network.host("mx");
  const opened: Firewall[] = [];
  return {
    host,
    async open(kind, chains = ["INPUT"], jails = [JAIL]) {
      const { spawn: start } = host;
      const options = {
        chains,
        jails,
        now: Date.now,
        say: () => {},
        run,
        start,
      };
      const firewall = await openFirewall({ ...options, kind });
      opened.push(firewall);
      return firewall;
    },
    uninstall: () => removeEverything(createRemains(Date.now, run)),
    async [Symbol.asyncDispose]() {
      for (const firewall of opened) await firewall.close();
    },
  };
}

export interface Visitor extends AsyncDisposable {
  namespace: Namespace;
  /** Does a connection from this address to this port of the host open? From its first to 143 by default. */
  reaches(from?: string, port?: number): Promise<boolean>;
  /** Does the host's port send a datagram back? */
  hearsEcho(port: number): Promise<boolean>;
}

/** Listens on `host` and connects from another one. */
export async function startVisitor(host: Namespace, namespace: Namespace): Promise<Visitor> {
  const program =
    "require('net').createServer((s) => s.destroy()).listen(143, '::', () => console.log('up'))";
  const server = host.spawn(process.execPath, ["-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (server.stdout) await once(server.stdout, "data");
  const client: MailClient = startMailClient(namespace.spawn);
  const reaches = (from = namespace.address4, port = 143) =>
    client.connects({ host: from.includes(":") ? host.address6 : host.address4, port, from });
  // The kernel takes up to a second to notice that a cable is plugged in.
  for (const from of [namespace.address4, namespace.address6]) {
    await eventually("the host is reached", () => reaches(from));
  }
  return {
    namespace,
    reaches,
    hearsEcho: (port) => client.hearsEcho(host.address4, port),
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      server.kill("SIGKILL");
    },
  };
}

/** On UDP's port 143 of `host`. */
export async function startUdpEcho(host: Namespace): Promise<{ port: number } & AsyncDisposable> {
  const program =
    "const s = require('dgram').createSocket('udp4');" +
    "s.on('message', (m, { port, address }) => s.send(m, port, address));" +
    "s.bind(143, () => console.log('up'))";
  const server = host.spawn(process.execPath, ["-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (server.stdout) await once(server.stdout, "data");
  return {
    port: 143,
    [Symbol.asyncDispose]() {
      server.kill("SIGKILL");
      return Promise.resolve();
    },
  };
}

/** The visitor tries all the while; returns whether it ever got through. */
export async function everReached(
  visitor: Visitor,
  meanwhile: () => Promise<void>,
): Promise<boolean> {
  const watch = { isOver: false };
  const tries: Promise<boolean>[] = [];
  const trying = (async () => {
    while (!watch.isOver) {
      tries.push(visitor.reaches());
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
  })();
  await meanwhile();
  watch.isOver = true;
  await trying;
  return (await Promise.all(tries)).includes(true);
}

/** A host, a visitor, and back ends in the host that are tried one after the other. */
export interface VisitedHost extends AsyncDisposable {
  host: Namespace;
  /** Tries something on a fresh back end. */
  try(kind: FirewallKind, check: Check): Promise<void>;
}

/** Further addresses of the visitor. */
const MORE = ["10.77.0.200", "fd77::200"];

type Check = (firewall: Firewall, visitor: Visitor, on: FirewallHost) => Promise<void>;

export async function startVisitedHost(): Promise<VisitedHost> {
  const network = await createNetwork(["mx", "visitor"]);
  const visitor = await startVisitor(network.host("mx"), network.host("visitor"));
  for (const more of MORE) await visitor.namespace.addAddress(more);
  return {
    host: network.host("mx"),
    async try(kind, check) {
      await using on = firewallHost(network);
      try {
        await check(await on.open(kind), visitor, on);
      } finally {
        await on.uninstall();
      }
    },
    async [Symbol.asyncDispose]() {
      await visitor[Symbol.asyncDispose]();
      await network[Symbol.asyncDispose]();
    },
  };
}
