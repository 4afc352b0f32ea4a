/** Answers what the CLI asks on `fleetban.api.<noun>.<verb>`. */
import { headers, type Msg, type NatsConnection } from "@nats-io/nats-core";
import type { z } from "zod";
import type { Log } from "../../daemon/log.ts";
import {
  api,
  ERROR_CODE_HEADER,
  ERROR_HEADER,
  type ApiErrorCode,
  type Endpoint,
  type Reply,
  type Request,
} from "../../wire/api.ts";
import { decode, encode, WireError } from "../../wire/codec.ts";
import { API_QUEUE, API_SUBJECTS } from "../../wire/subjects.ts";

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
  readonly [E in Endpoint]: (request: Request<E>) => Promise<Reply<E>> | Reply<E>;
};

export interface ApiServer {
  stop(): void;
}

const PREFIX = "fleetban.api.";

export function serveApi(connection: NatsConnection, endpoints: Endpoints, log: Log): ApiServer {
  async function answer(endpoint: Endpoint, data: Uint8Array): Promise<Uint8Array> {
    // Per endpoint these three belong together; over all of them TypeScript cannot tell.
    const { request, reply } = api[endpoint] as { request: z.ZodType; reply: z.ZodType };
    const handle = endpoints[endpoint] as (request: unknown) => unknown;
    return encode(reply, await handle(decode(request, data, endpoint)));
  }

  async function respond(message: Msg): Promise<void> {
    const name = message.subject.slice(PREFIX.length);
    try {
      if (!isEndpoint(name)) throw new ApiError(404, `${name}: there is no such request`);
      message.respond(await answer(name, message.data));
    } catch (error) {
      const { code, text } = describe(error);
      if (!(error instanceof ApiError || error instanceof WireError)) {
        log.error({ endpoint: name, err: error }, "request failed");
      }
      const fields = headers();
      fields.set(ERROR_CODE_HEADER, String(code));
      fields.set(ERROR_HEADER, text.replace(/[\r\n]+/g, " "));
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
  return { code: 503, text: error instanceof Error ? error.message : String(error) };
}
