/**
 * The rights of each role on NATS: all subjects that the role may publish and subscribe to, by name,
 * and nothing more. Credentials carry these rights, and the server enforces them.
 *
 * Every user has a separate inbox, because nobody may read the answers to another user.
 */
import { ASKER_ROLES, REQUESTS_OF, type AskerRole } from "./askers.ts";
import {
  BANS_BUCKET,
  EVENTS_STREAM,
  EVENTS_SUBJECTS,
  FAILURES_STREAM,
  LEASE_BUCKET,
  LOGINS_STREAM,
  NOTIFY_BUCKET,
  SETTINGS_BUCKET,
  STATUS_SUBJECTS,
  API_SUBJECTS,
  WEB_BUCKET,
  apiSubject,
  failureSubject,
  loginsSubject,
  statusSubject,
} from "./subjects.ts";

export const ROLES = ["agent", "coordinator", ...ASKER_ROLES] as const;
export type Role = (typeof ROLES)[number];

export interface Rights {
  /** Where its answers arrive: the client's inboxPrefix. */
  inbox: string;
  publish: readonly string[];
  subscribe: readonly string[];
}

/** `name` is one token: the host's for an agent, else who it is. */
export function rightsOf(role: Role, name: string): Rights {
  switch (role) {
    case "agent":
      return agentRights(name);
    case "coordinator":
      return coordinatorRights(name);
    case "operator":
    case "support":
    case "viewer":
      return askerRights(role, name);
  }
}

/** Where an agent's answers arrive, also without credentials. */
export function agentInbox(host: string): string {
  return `_INBOX.agent.${host}`;
}

const stream = (bucket: string) => `KV_${bucket}`;

/** What follows a bucket asks of JetStream. */
const FOLLOW = [BANS_BUCKET, SETTINGS_BUCKET].map(stream).flatMap((name) => [
  `$JS.API.STREAM.INFO.${name}`,
  // A consumer's own name stands behind the stream's; nobody can guess another's.
  `$JS.API.CONSUMER.CREATE.${name}`,
  `$JS.API.CONSUMER.CREATE.${name}.>`,
  `$JS.API.CONSUMER.DELETE.${name}.>`,
]);
/** And flow control of what is delivered. */
const JETSTREAM = [...FOLLOW, "$JS.API.INFO", "$JS.FC.>"];

/**
 * The only way from the hosts' account into the fleet's, and what comes back.
 *
 * NATS sends its answer, an acknowledgement for instance, wherever the sender of a request wishes,
 * and asks nobody whether the sender may publish there. In one account with the fleet a host
 * could have its acknowledgements sent to JetStream's API, and purge the bans with them. An answer
 * that crosses accounts comes back to the account that asked, where nobody else listens.
 */
export const HOSTS_REACH = {
  services: [failureSubject("*", "*"), loginsSubject("*"), statusSubject("*"), ...JETSTREAM],
  streams: [`${agentInbox("*")}.>`],
} as const;

/** Its own failures, logins and status; bans and settings to read. */
function agentRights(host: string): Rights {
  const inbox = agentInbox(host);
  return {
    inbox,
    publish: [failureSubject("*", host), loginsSubject(host), statusSubject(host), ...JETSTREAM],
    subscribe: [`${inbox}.>`],
  };
}

/**
 * Streams and buckets of the fleet, what hosts say, and what the CLI asks. A list that is no
 * longer than it must be: a client sends its JWT and 400 bytes more in one line, of which NATS takes at
 * most 4096 bytes. A test measures it.
 */
function coordinatorRights(name: string): Rights {
  const inbox = `_INBOX.coordinator.${name}`;
  const buckets = [BANS_BUCKET, SETTINGS_BUCKET, LEASE_BUCKET, NOTIFY_BUCKET, WEB_BUCKET];
  const mirrored = [BANS_BUCKET, SETTINGS_BUCKET, WEB_BUCKET].map(stream);
  const followed = [FAILURES_STREAM, LOGINS_STREAM, ...mirrored];
  return {
    inbox,
    publish: [
      "$JS.API.INFO",
      ...[FAILURES_STREAM, LOGINS_STREAM, EVENTS_STREAM, ...buckets.map(stream)].flatMap((each) => [
        `$JS.API.STREAM.INFO.${each}`,
        `$JS.API.STREAM.CREATE.${each}`,
        `$JS.API.STREAM.UPDATE.${each}`,
      ]),
      ...followed.flatMap((each) => [
        // CREATE, INFO and DELETE, in one subject: a longer list has no room.
        `$JS.API.CONSUMER.*.${each}.>`,
        `$JS.API.CONSUMER.MSG.NEXT.${each}.*`,
      ]),
      ...buckets.flatMap((bucket) => [
        `$KV.${bucket}.>`,
        `$JS.API.STREAM.MSG.GET.${stream(bucket)}`,
      ]),
      // Failures that other programs have seen.
      failureSubject("*", "*"),
      // Notifications are stored until every sink has them.
      EVENTS_SUBJECTS,
      `$JS.API.STREAM.MSG.GET.${EVENTS_STREAM}`,
      "$JS.FC.>",
      // Answers to those who ask.
      "_INBOX.operator.>",
    ],
    subscribe: [`${inbox}.>`, API_SUBJECTS, STATUS_SUBJECTS],
  };
}

/** Where the answers to who asks arrive, also without credentials. */
export function askerInbox(who: string): string {
  return `_INBOX.operator.${who}`;
}

/** A user asks in its own name, which is the last token of the subject, in front of some roles. */
function askerRights(role: AskerRole, name: string): Rights {
  const inbox = askerInbox(name);
  const requests = REQUESTS_OF[role].map((request) => request.split("."));
  return {
    inbox,
    publish: requests.map(([noun = "", verb = ""]) => apiSubject(noun, verb, name, role)),
    subscribe: [`${inbox}.>`],
  };
}
