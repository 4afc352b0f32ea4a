/** A NATS server of the fleet: the facts that the key folder keeps, and its configuration. */
import { join } from "node:path";
import * as z from "zod";
import { DEFAULT_MAX_HOSTS, serverLimitsFor } from "./account-limits.ts";
import { ACCOUNT_NAMES, publicKeyOf, readMaxHosts } from "./identity.ts";
import type { KeyFolder } from "./key-folder.ts";

/** servers/NAME.json: the arguments of `fleetban key server`, for the next call. */
export const serverOptions = z.object({
  name: z.string(),
  /** Host names and IP addresses that clients and the other servers know it by. */
  addresses: z.array(z.string()).min(1),
  listen: z.string(),
  port: z.number(),
  /** Host names or addresses of the cluster's other servers; empty: it stands alone. */
  peers: z.array(z.string()),
  clusterPort: z.number(),
  /** Where its certificate, key and ca.pem lie on the server's own machine. */
  files: z.string(),
  /** Where it keeps its data, there. */
  store: z.string(),
  /**
   * Where it keeps the accounts, with what is revoked: not in its store, so that revoked
   * credentials stay revoked when the store is lost. undefined: in the store, as earlier versions
   * had it.
   */
  accounts: z.string().optional(),
  /** Bytes that its streams may take, as NATS spells them; undefined: NATS looks at the free disk. */
  maxFileStore: z.string().optional(),
  /** The certificate for clients is the user's own, not of the fleet's authority. */
  ownCertificate: z.boolean(),
});
export type ServerOptions = z.infer<typeof serverOptions>;

/** The files that its configuration names, as they are called in the key folder. */
export function filesOf({ name, peers, ownCertificate }: ServerOptions): string[] {
  const route = ownCertificate && peers.length > 0 ? ["route.crt", "route.key"] : [];
  return [...["crt", "key", ...route].map((suffix) => `${name}.${suffix}`), "ca.pem"];
}

/** Where a server keeps the accounts, unless `--accounts` differs. */
export const defaultAccounts = ({ name, files }: Pick<ServerOptions, "name" | "files">): string =>
  join(files, `${name}.accounts`);

/** The complete configuration of one nats-server. */
export function renderServerConfig(folder: KeyFolder, server: ServerOptions): string {
  const { name, listen, port, files, store, maxFileStore } = server;
  const accounts = server.accounts ?? join(store, "accounts");
  const room = maxFileStore === undefined ? "" : `, max_file_store: ${maxFileStore}`;
  const maxHosts = readMaxHosts(folder) ?? DEFAULT_MAX_HOSTS;
  const { maxConnections, maxPending } = serverLimitsFor(maxHosts);
  const jwt = (file: string) => folder.read(file).trim();
  const file = (suffix: string) => quote(join(files, `${name}.${suffix}`));
  return [
    "# Made by fleetban key server; changed by its --renew and by fleetban key revoke.",
    `server_name: ${quote(name)}`,
    `listen: ${quote(endpoint(listen, port))}`,
    "max_payload: 1MB",
    `max_connections: ${maxConnections}`,
    // For every client that does not read what it is sent.
    `max_pending: ${maxPending}`,
    `jetstream { store_dir: ${quote(join(store, "jetstream"))}${room} }`,
    `tls { cert_file: ${file("crt")}, key_file: ${file("key")}, timeout: 5 }`,
    "",
    `operator: ${jwt("operator.jwt")}`,
    `system_account: ${publicKeyOf(folder, "system")}`,
    `resolver { type: full, dir: ${quote(accounts)}, allow_delete: false, interval: "2m" }`,
    "resolver_preload {",
    ...(["system", ...ACCOUNT_NAMES] as const).map(
      (account) => `  ${publicKeyOf(folder, account)}: ${jwt(`${account}.jwt`)}`,
    ),
    "}",
    ...(server.peers.length === 0 ? [] : clusterLines(server)),
    "",
  ].join("\n");
}

/** Servers of a cluster know each other by certificates of the fleet's own authority, which has no others. */
function clusterLines({ name, listen, peers, clusterPort, files, ownCertificate }: ServerOptions) {
  const file = (suffix: string) => quote(join(files, `${name}.${suffix}`));
  const [certificate, key] = ownCertificate ? ["route.crt", "route.key"] : ["crt", "key"];
  const authority = quote(join(files, "ca.pem"));
  return [
    "",
    "cluster {",
    '  name: "fleetban"',
    `  listen: ${quote(endpoint(listen, clusterPort))}`,
    `  tls { cert_file: ${file(certificate)}, key_file: ${file(key)}, ca_file: ${authority}, verify: true, timeout: 5 }`,
    `  routes: [${peers.map((peer) => quote(`nats-route://${endpoint(peer, clusterPort)}`)).join(", ")}]`,
    "}",
  ];
}

/** JSON's strings are strings of NATS's configuration language, too. */
const quote = (text: string): string => JSON.stringify(text);

/** "192.0.2.1:4222", "[2001:db8::1]:4222". */
export function endpoint(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
