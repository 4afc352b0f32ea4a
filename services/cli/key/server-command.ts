/** `fleetban key server`: certificate and configuration of a NATS server. */
import { isIP } from "node:net";
import { resolve } from "node:path";
import { Command, Option } from "commander";
import { checksOf, UsageError } from "../arguments.ts";
import { JSON_OPTION } from "../context.ts";
import { quote } from "../visible.ts";
import type { KeyContext } from "./key.ts";
import { DEFAULT_MAX_HOSTS } from "./account-limits.ts";
import { readMaxHosts, renewReach, writeLimits } from "./identity.ts";
import { openKeyFolder, type KeyFolder } from "./key-folder.ts";
import {
  BACKDATED_MS,
  dirOption,
  refuseToOverwrite,
  renewOption,
  type FolderOption,
} from "./options.ts";
import { defaultAccounts, filesOf, type ServerOptions } from "./server-config.ts";
import {
  readOwnCertificate,
  readServer,
  readServers,
  writeServer,
  writeServerConfig,
} from "./server-files.ts";
import { SERVER_FILES, SERVER_STORE, UNIT_FILE } from "./server-unit.ts";

interface ServerCommandOptions extends FolderOption {
  address?: string[];
  listen?: string;
  port?: number;
  peer?: string[];
  clusterPort?: number;
  files?: string;
  store?: string;
  accounts?: string;
  maxFileStore?: string;
  maxHosts?: number;
  for: number;
  certificate?: string;
  privateKey?: string;
  authority?: string;
  renew?: true;
}

const TWO_YEARS = 2 * 31_557_600;

export function serverCommand({ output, now }: KeyContext): Command {
  const check = checksOf("key server", output.note);
  const port = (text: string): number => {
    if (/^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535) return Number(text);
    throw new UsageError(`key server: ${quote(text)}: expected a port`);
  };
  return new Command("server")
    .description("certificate and configuration of a NATS server")
    .argument("<name>", "names it among the fleet's servers", check.identity)
    .option("--address <address>", "host name or IP that it is known by; repeat it", gather)
    .option("--listen <ip>", "where it listens (default: 0.0.0.0)", checkIp)
    .option("--port <port>", "for clients (default: 4222)", port)
    .option("--peer <address>", "another server of its cluster; repeat it", gather)
    .option("--cluster-port <port>", "for the other servers (default: 6222)", port)
    .option("--files <folder>", `the server's folder for these files (default: ${SERVER_FILES})`)
    .option("--store <folder>", `the server's folder for its data (default: ${SERVER_STORE})`)
    .option(
      "--accounts <folder>",
      "the server's folder for accounts and revocations (default: NAME.accounts in --files)",
    )
    .option(
      "--max-file-store <size>",
      "bytes that its streams may take (default: 3/4 of the free disk)",
      checkSize,
    )
    .addOption(
      new Option(
        "--max-hosts <number>",
        `mail hosts that NATS has room for, on every server (default: ${DEFAULT_MAX_HOSTS})`,
      ).argParser(checkHosts),
    )
    .addOption(
      new Option("--for <duration>", "the certificate is valid so long")
        .argParser(check.seconds)
        .default(TWO_YEARS, "2y"),
    )
    .option("--certificate <file>", "your own certificate, in place of one of the fleet's")
    .option("--private-key <file>", "its key")
    .option("--authority <file>", "who signed it, if the hosts' systems do not know")
    .addOption(renewOption())
    .addOption(dirOption())
    .option(...JSON_OPTION)
    .addHelpText("after", EXAMPLES)
    .action((name: string, options: ServerCommandOptions) =>
      setUpServer(name, options, { output, now }),
    );
}

async function setUpServer(
  name: string,
  options: ServerCommandOptions,
  { output, now }: Pick<KeyContext, "output" | "now">,
): Promise<void> {
  const folder = openKeyFolder(options.dir);
  const config = folder.at(`servers/${name}.conf`);
  const isThere = folder.has(`servers/${name}.json`);
  if (isThere && !options.renew) refuseToOverwrite(config);
  const known = isThere ? readServer(folder, name) : undefined;
  const own = ownCertificate(options, known);
  const basis = withDefaults(name, known, options);
  const server = { ...basis, ownCertificate: own !== undefined };
  const seconds = Math.min(options.for, 100 * 31_557_600);
  const validity = { from: now() - BACKDATED_MS, until: now() + seconds * 1000 };
  const areAccountsNew = await renewAccounts(folder, options.maxHosts, now);
  await writeServer(folder, server, own, validity);
  if (options.json) await output.jsonLine({ ...server, config });
  else {
    output.line(`${config}: NATS server ${name}, known as ${server.addresses.join(", ")}`);
    for (const line of installationOf(server, isThere)) output.note(line);
    if (areAccountsNew && isThere) output.note(ACCOUNTS_CHANGED);
  }
}

/** Options that are not given are as before. At first they fit the nats-server of Debian's package. */
function withDefaults(
  name: string,
  known: Omit<ServerOptions, "ownCertificate"> | undefined,
  given: ServerCommandOptions,
): Omit<ServerOptions, "ownCertificate"> {
  const addresses = given.address ?? known?.addresses;
  if (!addresses) {
    throw new UsageError("key server: expected --address, the name that clients know it by");
  }
  const maxFileStore = given.maxFileStore ?? known?.maxFileStore;
  const files = resolve(given.files ?? known?.files ?? SERVER_FILES);
  const accounts = given.accounts ?? (known ? known.accounts : defaultAccounts({ name, files }));
  return {
    name,
    addresses,
    listen: given.listen ?? known?.listen ?? "0.0.0.0",
    port: given.port ?? known?.port ?? 4222,
    peers: given.peer ?? known?.peers ?? [],
    clusterPort: given.clusterPort ?? known?.clusterPort ?? 6222,
    files,
    store: resolve(given.store ?? known?.store ?? SERVER_STORE),
    ...(accounts !== undefined && { accounts: resolve(accounts) }),
    ...(maxFileStore !== undefined && { maxFileStore }),
  };
}

/** Keys of an earlier version have no limits yet, and less reach. Returns whether the accounts are new. */
async function renewAccounts(
  folder: KeyFolder,
  given: number | undefined,
  now: () => number,
): Promise<boolean> {
  const before = readMaxHosts(folder);
  const wanted = given ?? before ?? DEFAULT_MAX_HOSTS;
  const isReachNew = await renewReach(folder, now);
  if (wanted !== before) await writeLimits(folder, wanted, now);
  else if (!isReachNew) return false;
  for (const server of readServers(folder)) writeServerConfig(folder, server);
  return true;
}

const ACCOUNTS_CHANGED = `the accounts have changed: fleetban key push tells the servers that run,
and every server gets its .conf again`;

/** The next steps of the administrator with the files. */
function installationOf(server: ServerOptions, isThere: boolean): string[] {
  const { name, files } = server;
  if (isThere) return [`bring its files to ${files} again, then: systemctl reload nats-server`];
  const names = [`${name}.conf`, ...filesOf(server)].join(", ");
  return [
    `on its machine: ${names} go to ${files}, owner root, group nats, mode 0640;`,
    `${name}.unit.conf goes to ${UNIT_FILE}; docs/installation.md has every command`,
  ];
}

function ownCertificate(options: ServerCommandOptions, known: ServerOptions | undefined) {
  const { certificate, privateKey, authority } = options;
  if (certificate !== undefined && privateKey !== undefined) {
    return readOwnCertificate({ certificate, privateKey, authority });
  }
  const given = [certificate, privateKey, authority].filter((each) => each !== undefined);
  if (given.length === 0 && known?.ownCertificate !== true) return undefined;
  const why = given.length === 0 ? `; ${known?.name} has a certificate of your own` : "";
  throw new UsageError(`key server: expected --certificate and --private-key, both${why}`);
}

const HOST_NAME = /^(?!-)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*$/;

function gather(text: string, before: string[] | undefined): string[] {
  if (text.length <= 253 && (isIP(text) !== 0 || HOST_NAME.test(text))) {
    return [...(before ?? []), text];
  }
  throw new UsageError(`key server: ${quote(text)}: expected a host name or an IP address`);
}

function checkIp(text: string): string {
  if (isIP(text) !== 0) return text;
  throw new UsageError(`key server: ${quote(text)}: expected an IP address`);
}

function checkHosts(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new UsageError(`key server: ${quote(text)}: expected a number of hosts, at most 999999`);
}

/** A size as NATS's configuration spells it. */
function checkSize(text: string): string {
  if (/^[1-9]\d{0,14}(?:[KMGT]B?)?$/i.test(text)) return text.toUpperCase();
  throw new UsageError(`key server: ${quote(text)}: expected a size such as 2GB`);
}

const EXAMPLES = `
Examples:
  fleetban key server centre --address nats.example.org --max-file-store 2GB
  fleetban key server n1 --address n1.example.org --peer n2.example.org \\
    --peer n3.example.org --files /etc/nats --store /srv/nats
  fleetban key server centre --renew
`;
