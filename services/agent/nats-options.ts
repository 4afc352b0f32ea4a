/** How an agent connects: as its host, with the host's own credentials and inbox. */
import type { ConnectionOptions } from "@nats-io/nats-core";
import { EXIT, PlainError } from "../process/exit.ts";
import { credentialsOf, natsOptions } from "../nats/connect.ts";
import { agentInbox } from "../wire/rights.ts";
import type { AgentConfig } from "./agent-config.ts";

/** Throws a PlainError when the credentials cannot be used, or are another host's. */
export async function agentNatsOptions(
  { nats, host }: Pick<AgentConfig, "nats" | "host">,
  onCertificate?: (until: number) => void,
): Promise<ConnectionOptions> {
  const options = await natsOptions(nats, `fleetban-agent ${host}`, onCertificate);
  const credentials = credentialsOf(nats);
  if (credentials && credentials.name !== host) {
    const theirs = `these are the credentials of ${credentials.name}, this host is ${host}`;
    const remedy = `bring those of ${host}, or set host to ${credentials.name}`;
    throw new PlainError(`${nats.creds}: ${theirs}: ${remedy}`, EXIT.config);
  }
  return { inboxPrefix: agentInbox(host), ...options };
}
