/** What an operator reads of streams that cannot be followed. */
import type { NatsConnection } from "@nats-io/nats-core";
import { BANS_BUCKET, FAILURES_STREAM, SETTINGS_BUCKET } from "../wire/subjects.ts";
import { warn, type Warning, type WarningFacts } from "../wire/warnings.ts";
import { bucketStream } from "./follow-bucket.ts";
import { unreadStreams } from "./unread-streams.ts";

type Role = "agent" | "coordinator";
type Facts = WarningFacts<"stream-not-read">;
type Consequence = Pick<Facts, "what" | "consequence">;

const BANS = bucketStream(BANS_BUCKET);
const SETTINGS = bucketStream(SETTINGS_BUCKET);

const CONSEQUENCES: Readonly<Record<Role, Readonly<Record<string, Consequence>>>> = {
  agent: {
    [BANS]: { what: "bans", consequence: "no new ban comes into force here, and lifted ones stay" },
    [SETTINGS]: {
      what: "jails and the allowlist",
      consequence: "this host goes by those that it knew last",
    },
  },
  coordinator: {
    [FAILURES_STREAM]: { what: "failures", consequence: "this coordinator counts none of them" },
    [BANS]: { what: "bans", consequence: "this coordinator decides by those that it knew last" },
    [SETTINGS]: {
      what: "settings and the allowlist",
      consequence: "this coordinator goes by those that it knew last",
    },
  },
};

/** `name`: of the role's credentials. */
export function warningsOfUnread(connection: NatsConnection, role: Role, name: string): Warning[] {
  return unreadStreams(connection).map(({ stream, reason }) => {
    const { what, consequence } = CONSEQUENCES[role][stream] ?? {
      what: `stream ${stream}`,
      consequence: "what depends on it stands still",
    };
    return warn("stream-not-read", { role, name, what, consequence, reason }, stream);
  });
}
