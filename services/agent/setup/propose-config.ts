/** The agent.yaml that `fleetban-agent setup` proposes. */
import { stringify } from "yaml";
import type { FirewallKind } from "../enforce/firewall/firewall.ts";
import type { Target } from "./find-dovecot.ts";

export interface Proposal {
  host: string;
  natsUrl: string;
  /** The file with the credentials, if it is there. */
  creds: string | undefined;
  /** The file with the authority of the server's certificate, if it is there. */
  ca?: string | undefined;
  /** undefined: no log was found. */
  target: Target | undefined;
  /** undefined: none can be used, or nobody can tell. */
  backend: FirewallKind | undefined;
  /** Does Dovecot run behind ports that Docker publishes? */
  isInDocker: boolean;
}

export function proposeConfig(proposal: Proposal): string {
  const { host, natsUrl, creds, ca, target, backend, isInDocker } = proposal;
  const source = target && sourceOf(target);
  const config = {
    host,
    nats: { url: natsUrl, ...(creds !== undefined && { creds }), ...(ca !== undefined && { ca }) },
    firewall: {
      // Without root nobody can tell which one works: the agent takes the first that does.
      backend: backend ?? ["ipset", "nftables", "iptables"],
      ...(isInDocker && { chains: ["INPUT", "DOCKER-USER"] }),
    },
    ...(source && { sources: [{ ...source, jail: "dovecot" }] }),
  };
  return stringify(config, { lineWidth: 0 });
}

export function sourceOf(target: Target) {
  switch (target.kind) {
    case "file":
      return { name: "mail-log", path: target.path };
    case "journal":
      return { name: "journal", unit: target.unit };
    case "container":
      return { name: "container", container: target.name };
  }
}
