/** Brings the fleet's accounts, with their revocations, to the NATS servers while they run. */
import { rootCertificates } from "node:tls";
import { credsAuthenticator } from "@nats-io/nats-core";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import * as z from "zod";
import { EXIT, PlainError } from "../../process/exit.ts";
import { natsTls } from "../../nats/tls.ts";
import { explainTrouble } from "../../nats/connect-error.ts";
import { visible } from "../visible.ts";
import { ACCOUNT_NAMES, CLAIMS_UPDATE } from "./identity.ts";
import type { KeyFolder } from "./key-folder.ts";
import { readServers } from "./server-files.ts";
import { endpoint } from "./server-config.ts";

const CONNECT_WITHIN_MS = 5_000;
/** A server's answer, and after it those of the cluster's others. */
const ANSWER_WITHIN_MS = 5_000;
const OTHERS_WITHIN_MS = 500;

const answer = z.object({
  server: z.object({ name: z.string() }).optional(),
  data: z.object({ code: z.number() }).optional(),
  error: z.object({ description: z.string() }).optional(),
});

/**
 * Returns the names of the servers that took it; `urls`: where they are, undefined: where the
 * folder says. Throws a PlainError when none can be reached or one refuses.
 */
export async function pushAccounts(
  folder: KeyFolder,
  urls: string | undefined,
): Promise<readonly string[]> {
  const creds = folder.read("system.creds");
  const connection = await openFleet(folder, urls, creds);
  try {
    const taken = new Set<string>();
    for (const account of ACCOUNT_NAMES) {
      const jwt = folder.read(`${account}.jwt`).trim();
      for (const name of await push(connection, jwt)) taken.add(name);
    }
    return [...taken];
  } finally {
    await connection.close();
  }
}

/** Returns the names of the servers that took it. */
async function push(connection: NatsConnection, jwt: string): Promise<string[]> {
  const replies = await connection.requestMany(CLAIMS_UPDATE, jwt, {
    strategy: "stall",
    maxWait: ANSWER_WITHIN_MS,
    stall: OTHERS_WITHIN_MS,
  });
  const taken: string[] = [];
  for await (const message of replies) {
    const { server, data, error } = answer.parse(message.json());
    const name = server?.name ?? connection.getServer();
    if (data?.code !== 200) {
      const reason = error?.description ?? "no reason given";
      throw new PlainError(visible(`NATS server ${name} refuses it: ${reason}`), EXIT.permission);
    }
    taken.push(name);
  }
  if (taken.length > 0) return taken;
  const reason = "does not answer, is its resolver of type full?";
  throw new PlainError(`NATS server ${connection.getServer()}: ${reason}`, EXIT.unavailable);
}

/**
 * Connects to one of the fleet's NATS servers; `urls`: where they are, undefined: where the folder says.
 * Throws a PlainError when none can be reached.
 */
export async function openFleet(
  folder: KeyFolder,
  urls: string | undefined,
  creds: string,
): Promise<NatsConnection> {
  const servers = urls?.split(",") ?? serversOf(folder);
  if (servers.length === 0) {
    const hint = "make one with fleetban key server, or say where it is with --nats";
    throw new PlainError(`no NATS server is known in ${folder.path}: ${hint}`, EXIT.unavailable);
  }
  const tls = { ...(await natsTls(servers, undefined)), ca: authorities(folder) };
  try {
    return await connect({
      servers: [...servers],
      name: "fleetban key",
      authenticator: credsAuthenticator(Buffer.from(creds)),
      reconnect: false,
      timeout: CONNECT_WITHIN_MS,
      tls,
    });
  } catch (cause) {
    const config = {
      url: servers.join(","),
      creds: folder.at("system.creds"),
      ca: folder.at("ca.pem"),
    };
    const { kind, text } = explainTrouble(cause, config, Date.now());
    const code = kind === "away" ? EXIT.unavailable : EXIT.permission;
    const where = servers.join(", ");
    throw new PlainError(visible(`no NATS server took it at ${where}: ${text}`), code, { cause });
  }
}

/** The fleet's own, those of users' certificates, and those that the system knows. */
function authorities(folder: KeyFolder): string {
  const own = readServers(folder)
    .map(({ name }) => `servers/${name}.ca.pem`)
    .filter((file) => folder.has(file));
  return ["ca.pem", ...own]
    .map((file) => folder.read(file))
    .concat(rootCertificates)
    .join("\n");
}

function serversOf(folder: KeyFolder): string[] {
  return readServers(folder).flatMap(({ addresses, port }) =>
    addresses.map((address) => `tls://${endpoint(address, port)}`),
  );
}
