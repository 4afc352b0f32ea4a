/**
 * Answers what the CLI asks on `fleetban.api.<noun>.<verb>.<who>`. The subject names the asker: with
 * credentials NATS allows everybody only their own name there.
 */
import { headers, type Msg, type NatsConnection } from "@nats-io/nats-core";
import type { NatsConfig } from "../../nats/nats-config.ts";
import { readVersion } from "../../process/version.ts";
import type { Answer, Asker } from "../../wire/askers.ts";
import { ERROR_CODE_HEADER, ERROR_HEADER, VERSION_HEADER } from "../../wire/reply-headers.ts";
import { askerInbox } from "../../wire/rights.ts";
import { API_QUEUE, API_SUBJECTS, parseApiSubject } from "../../wire/subjects.ts";

/** The longest text of an error reply. */
const MAX_ERROR_TEXT = 2_000;

export interface NatsRequests {
  stop(): void;
}

export interface NatsRequestsOptions {
  connection: NatsConnection;
  answer: Answer;
  /** NATS vouches for who asks. */
  isVerified: boolean;
}

/**
 * Does this server make everybody prove who they are? It has accepted our credentials, so it
 * trusts an operator, and with that nobody else gets in.
 */
export function hasOperators({ info }: NatsConnection, { creds }: NatsConfig): boolean {
  return creds !== undefined && info?.auth_required === true;
}

export function answerNatsRequests({
  connection,
  answer,
  isVerified,
}: NatsRequestsOptions): NatsRequests {
  const version = readVersion();

  async function respond(message: Msg): Promise<void> {
    const [, , noun = "", verb = "", who = ""] = message.subject.split(".");
    // Nobody gets our answers sent to where we may write and they may not.
    if (!message.reply?.startsWith(`${askerInbox(who)}.`)) return;
    const asked = parseApiSubject(message.subject);
    const asker: Asker | undefined = asked && {
      role: asked.role,
      by: `${asked.role} ${asked.who}${isVerified ? "" : " (unverified)"}`,
    };
    const answered = await answer(`${noun}.${verb}`, message.data, asker);
    const fields = headers();
    fields.set(VERSION_HEADER, version);
    if (answered.code === 200) {
      message.respond(answered.reply, { headers: fields });
      return;
    }
    fields.set(ERROR_CODE_HEADER, String(answered.code));
    fields.set(ERROR_HEADER, answered.error.replace(/[\r\n]+/g, " ").slice(0, MAX_ERROR_TEXT));
    message.respond(undefined, { headers: fields });
  }

  const subscription = connection.subscribe(API_SUBJECTS, {
    queue: API_QUEUE,
    callback(error, message) {
      if (!error) void respond(message);
    },
  });
  return { stop: () => subscription.unsubscribe() };
}
