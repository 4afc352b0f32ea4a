/**
 * Answers one request, whichever way it has come: over NATS from the CLI, or over HTTP from the web
 * page. Here a request is checked: that there is such a request, that its asker may ask it, and that
 * every field of it is right. The endpoints see only what has passed.
 */
import type * as z from "zod";
import { reasonOf } from "../../process/reason.ts";
import type { Log } from "../../process/log.ts";
import { api, type ApiErrorCode, type Endpoint, type Reply, type Request } from "../../wire/api.ts";
import { mayAsk, type Answer, type Asker } from "../../wire/askers.ts";
import { encode, MAX_MESSAGE_BYTES, WireError } from "../../wire/codec.ts";
import { decodeRequest } from "../../wire/request.ts";
import type { WhyNotSupport } from "./support-limits.ts";

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

export interface AnswerOptions {
  endpoints: Endpoints;
  whyNotSupport: WhyNotSupport;
  /** `code`: 200, or that of the error reply. */
  onAnswered: (endpoint: string, code: 200 | ApiErrorCode) => void;
  log: Log;
}

export function createAnswer(options: AnswerOptions): Answer {
  const { endpoints, whyNotSupport, onAnswered, log } = options;

  async function replyTo(name: string, bytes: Uint8Array, asker: Asker | undefined) {
    if (!isEndpoint(name)) throw new ApiError(404, `${name}: there is no such request`);
    if (!asker) throw new ApiError(400, `${name}: expected a name of who asks`);
    if (!mayAsk(asker.role, name)) {
      throw new ApiError(403, `${asker.by} may not ask for ${name.replace(".", " ")}`);
    }
    // Per endpoint these belong together; over all of them TypeScript cannot tell.
    const schema = api[name].reply as z.ZodType;
    const handle = endpoints[name] as (request: unknown, by: string) => unknown;
    const request = decodeRequest(name, bytes);
    const whyNot = asker.role === "support" ? whyNotSupport(name, request) : undefined;
    if (whyNot !== undefined) throw new ApiError(403, whyNot);
    const reply = encode(schema, await handle(request, asker.by));
    // The endpoints see to it (page.ts). One that did not would leave the asker without an answer.
    if (reply.length <= MAX_MESSAGE_BYTES) return reply;
    throw new Error(`${name}: a reply of ${reply.length} bytes, which is a bug`);
  }

  return async (name, bytes, asker) => {
    try {
      const reply = await replyTo(name, bytes, asker);
      onAnswered(name, 200);
      return { code: 200, reply };
    } catch (error) {
      const described = describe(error);
      onAnswered(name, described.code);
      if (!(error instanceof ApiError || error instanceof WireError)) {
        log.error({ endpoint: name, err: error }, "request failed");
      }
      return described;
    }
  };
}

function isEndpoint(name: string): name is Endpoint {
  return Object.hasOwn(api, name);
}

function describe(error: unknown): { code: ApiErrorCode; error: string } {
  if (error instanceof ApiError) return { code: error.code, error: error.message };
  if (error instanceof WireError) return { code: 400, error: error.message };
  const away = `the coordinator cannot do that now: ${reasonOf(error)}`;
  return { code: 503, error: `${away}; fleetban status says what is wrong` };
}
