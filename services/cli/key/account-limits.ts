/**
 * What a fleet's accounts may take of a NATS server. A client that floods NATS with connections,
 * consumers or subscriptions reaches these limits, and the server's memory stays bounded. They
 * leave room for a number of mail hosts: `fleetban key server --max-hosts`.
 *
 * NATS counts per account, not per client. So a host in an attacker's hands can use up what is left
 * of a limit, until its credentials are revoked.
 */
const UNLIMITED = -1;

/** Mail hosts that the limits leave room for, unless told otherwise. */
export const DEFAULT_MAX_HOSTS = 1_000;

/** An agent has one connection. For a moment it has a second: `check`, or a restart. */
const CONNECTIONS_PER_HOST = 2;
const CONNECTIONS_BESIDES = 64;
/** An agent has 6 subscriptions or so. */
const SUBSCRIPTIONS_PER_HOST = 32;
/** Consumers per stream: an agent follows each bucket with one, and makes a new one after a gap. */
const CONSUMERS_PER_HOST = 4;
/** Connections of coordinators and operators, and what a fleet has besides its hosts. */
const OTHERS = 256;

/** No consumer of fleetban acknowledges anything. NATS would remember what is not acknowledged. */
const MAX_ACK_PENDING = 100;

const NATS_LIMITS = {
  ...{ conn: UNLIMITED, subs: UNLIMITED, data: UNLIMITED, payload: UNLIMITED },
  ...{ leaf: 0, imports: 0, exports: 0, wildcards: true, disallow_bearer: true },
};

/** NATS's own account, whose only user pushes account JWTs. */
export const SYSTEM_LIMITS = { ...NATS_LIMITS, conn: OTHERS };

/** Limits of the fleet's account and of its hosts' account; JetStream keeps nothing in memory. */
export function limitsFor(maxHosts: number) {
  return {
    fleet: {
      ...NATS_LIMITS,
      ...{ exports: UNLIMITED, conn: OTHERS },
      subs: SUBSCRIPTIONS_PER_HOST * (maxHosts + OTHERS),
      ...{ mem_storage: 0, disk_storage: UNLIMITED, streams: 16 },
      ...{ consumer: CONSUMERS_PER_HOST * maxHosts + OTHERS, max_ack_pending: MAX_ACK_PENDING },
    },
    hosts: {
      ...NATS_LIMITS,
      ...{ imports: UNLIMITED, conn: connectionsFor(maxHosts) },
      subs: SUBSCRIPTIONS_PER_HOST * (maxHosts + OTHERS),
    },
  };
}

/** Connections of all hosts together. */
const connectionsFor = (maxHosts: number): number =>
  CONNECTIONS_PER_HOST * maxHosts + CONNECTIONS_BESIDES;

/** The number of hosts that a limit of connections was made for; undefined: there is no limit. */
export function maxHostsOf(connections: number | undefined): number | undefined {
  if (connections === undefined || connections === UNLIMITED) return undefined;
  return (connections - CONNECTIONS_BESIDES) / CONNECTIONS_PER_HOST;
}

/** Limits in a server's configuration: clients that have not logged in count here, too. */
export function serverLimitsFor(maxHosts: number) {
  return { maxConnections: connectionsFor(maxHosts) + 2 * OTHERS, maxPending: "16MB" };
}
