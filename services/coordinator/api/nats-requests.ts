/**
 * Answers what the CLI asks on `fleetban.api.<noun>.<verb>.<who>`. The subject names the asker: with
 * credentials NATS allows everybody only their own name there.
 *
 * One coordinator answers a request, whichever NATS chooses. Only a link to the web page comes from
 * every coordinator that serves the page, and the asker takes the first answer. A refusal of a link
 * waits, because another coordinator may be about to make one
 * (docs/decisions/0049-2026-11-30-every-coordinator-with-a-page-makes-a-link.md).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { headers, type Msg, type NatsConnection } from "@nats-io/nats-core";
import type { NatsConfig } from "../../nats/nats-config.ts";
import type { Endpoint } from "../../wire/api.ts";
import { parseAddress, type Address } from "../../wire/address.ts";
import type { Answer, Asker } from "../../wire/askers.ts";
import {
  ASKER_ADDRESS_HEADER,
  ERROR_CODE_HEADER,
  ERROR_HEADER,
  VERSION_HEADER,
} from "../../wire/api-headers.ts";
import { askerInbox } from "../../wire/rights.ts";
import { API_QUEUE, API_SUBJECTS, endpointSubjects, parseApiSubject } from "../../wire/subjects.ts";

/** The longest text of an error reply. */
const MAX_ERROR_TEXT = 2_000;
const LINK: Endpoint = "web.login";
/** Another coordinator's link has arrived before the refusal does, also on a machine that does much else. */
const REFUSE_LINK_AFTER_MS = 3_000;

export interface NatsRequests {
  stop(): void;
}

export interface NatsRequestsOptions {
  connection: NatsConnection;
  answer: Answer;
  /** This coordinator's. */
  version: string;
  /** NATS vouches for who asks. */
  isVerified: boolean;
  /** This coordinator serves the web page. */
  hasPage: boolean;
  /** Somebody's CLI has asked, from this address as it says. */
  onAsked: (who: string, address: Address) => void;
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
  version,
  isVerified,
  hasPage,
  onAsked,
}: NatsRequestsOptions): NatsRequests {
  async function respond(message: Msg): Promise<void> {
    const [, , noun = "", verb = "", who = ""] = message.subject.split(".");
    // Nobody gets our answers sent to where we may write and they may not.
    if (!message.reply?.startsWith(`${askerInbox(who)}.`)) return;
    const asked = parseApiSubject(message.subject);
    const asker: Asker | undefined = asked && {
      role: asked.role,
      by: `${asked.role} ${asked.who}${isVerified ? "" : " (unverified)"}`,
    };
    const address = parseAddress(message.headers?.get(ASKER_ADDRESS_HEADER) ?? "");
    if (asked && address !== undefined) onAsked(asked.who, address);
    const endpoint = `${noun}.${verb}`;
    const answered = await answer(endpoint, message.data, asker);
    const fields = headers();
    fields.set(VERSION_HEADER, version);
    if (answered.code === 200) {
      message.respond(answered.reply, { headers: fields });
      return;
    }
    // What is no request is refused by all of them.
    if (endpoint === LINK && answered.code !== 400)
      await sleep(REFUSE_LINK_AFTER_MS, undefined, { ref: false });
    fields.set(ERROR_CODE_HEADER, String(answered.code));
    fields.set(ERROR_HEADER, answered.error.replace(/[\r\n]+/g, " ").slice(0, MAX_ERROR_TEXT));
    message.respond(undefined, { headers: fields });
  }

  const shared = connection.subscribe(API_SUBJECTS, {
    queue: API_QUEUE,
    callback(error, message) {
      const comesTwice = hasPage && parseApiSubject(message.subject)?.endpoint === LINK;
      if (!error && !comesTwice) void respond(message);
    },
  });
  const links = hasPage
    ? connection.subscribe(endpointSubjects(LINK), {
        callback(error, message) {
          if (!error) void respond(message);
        },
      })
    : undefined;
  return {
    stop() {
      shared.unsubscribe();
      links?.unsubscribe();
    },
  };
}
