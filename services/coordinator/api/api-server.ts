/**
 * Answers what the CLI asks on `fleetban.api.<noun>.<verb>.<who>`. Who asks is what the subject
 * says: with credentials NATS allows everybody only their own name there.
 */
import { reasonOf } from "../../process/reason.ts";
import { headers, type Msg, type NatsConnection } from "@nats-io/nats-core";
import type * as z from "zod";
import type { Log } from "../../process/log.ts";
import {
  api,
  ERROR_CODE_HEADER,
  ERROR_HEADER,
  type ApiErrorCode,
  type Endpoint,
  type Reply,
  type Request,
} from "../../wire/api.ts";
import { encode, MAX_MESSAGE_BYTES, WireError } from "../../wire/codec.ts";
import { decodeRequest } from "../../wire/request.ts";
import type { NatsConfig } from "../../nats/nats-config.ts";
import { askerInbox } from "../../wire/rights.ts";
import { API_QUEUE, API_SUBJECTS, WHO } from "../../wire/subjects.ts";

/** The longest text of an error reply. */
const MAX_ERROR_TEXT = 2_000;

/** A request that is answered with an error; its message is for the operator. */
export class ApiError extends Error {
  override name = "ApiError";
  readonly code: ApiErrorCode;
  constructor(code: ApiErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export type Endpoints = {
  /** `by` is who asks, as the record shows it. */
  readonly [E in Endpoint]: (request: Request<E>, by: string) => Promise<Reply<E>> | Reply<E>;
};

export interface ApiServer {
  stop(): void;
}

export interface ApiServerOptions {
  connection: NatsConnection;
  endpoints: Endpoints;
  /** NATS vouches for who asks. */
  isVerified: boolean;
  /** `code`: 200, or that of the error reply. */
  onAnswered: (endpoint: string, code: 200 | ApiErrorCode) => void;
  log: Log;
}

/**
 * Does this server make everybody prove who they are? It has accepted our credentials, so it
 * trusts an operator, and with that nobody else gets in.
 */
export function hasOperators({ info }: NatsConnection, { creds }: NatsConfig): boolean {
  return creds !== undefined && info?.auth_required === true;
}

export function serveApi(options: ApiServerOptions): ApiServer {
  const { connection, endpoints, isVerified, onAnswered, log } = options;

  async function answer(endpoint: Endpoint, data: Uint8Array, by: string): Promise<Uint8Array> {
    // Per endpoint these belong together; over all of them TypeScript cannot tell.
    const reply = api[endpoint].reply as z.ZodType;
    const handle = endpoints[endpoint] as (request: unknown, by: string) => unknown;
    const bytes = encode(reply, await handle(decodeRequest(endpoint, data), by));
    // The endpoints see to it (page.ts). One that did not would leave the asker without an answer.
    if (bytes.length <= MAX_MESSAGE_BYTES) return bytes;
    throw new Error(`${endpoint}: a reply of ${bytes.length} bytes, which is a bug`);
  }

  async function respond(message: Msg): Promise<void> {
    const [, , noun = "", verb = "", who = "", ...more] = message.subject.split(".");
    // Nobody gets our answers sent to where we may write and they may not.
    if (!message.reply?.startsWith(`${askerInbox(who)}.`)) return;
    const name = `${noun}.${verb}`;
    try {
      if (!isEndpoint(name)) throw new ApiError(404, `${name}: there is no such request`);
      if (!WHO.test(who) || more.length > 0) {
        throw new ApiError(400, `${name}: expected a name of who asks, got "${who}"`);
      }
      const by = isVerified ? `operator ${who}` : `operator ${who} (unverified)`;
      message.respond(await answer(name, message.data, by));
      onAnswered(name, 200);
    } catch (error) {
      const { code, text } = describe(error);
      onAnswered(name, code);
      if (!(error instanceof ApiError || error instanceof WireError)) {
        log.error({ endpoint: name, err: error }, "request failed");
      }
      const fields = headers();
      fields.set(ERROR_CODE_HEADER, String(code));
      fields.set(ERROR_HEADER, text.replace(/[\r\n]+/g, " ").slice(0, MAX_ERROR_TEXT));
      message.respond(undefined, { headers: fields });
    }
  }

  const subscription = connection.subscribe(API_SUBJECTS, {
    queue: API_QUEUE,
    callback(error, message) {
      if (!error) void respond(message);
    },
  });
  return { stop: () => subscription.unsubscribe() };
}

function isEndpoint(name: string): name is Endpoint {
  return Object.hasOwn(api, name);
}

function describe(error: unknown): { code: ApiErrorCode; text: string } {
  if (error instanceof ApiError) return { code: error.code, text: error.message };
  if (error instanceof WireError) return { code: 400, text: error.message };
  return { code: 503, text: reasonOf(error) };
}
