/** Asks a coordinator: one request, one reply. An error is one line. */
import {
  headers,
  NoRespondersError,
  PermissionViolationError,
  RequestError,
  TimeoutError,
  type Msg,
  type RequestOptions,
} from "@nats-io/nats-core";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { EXIT, PlainError, type ExitCode } from "../process/exit.ts";
import { explainTrouble } from "../nats/connect-error.ts";
import { credentialsOf, natsOptions } from "../nats/connect.ts";
import type { Credentials } from "../nats/credentials.ts";
import { withoutLogin } from "../nats/url.ts";
import { readVersion } from "../process/version.ts";
import type { Endpoint, Reply, Request } from "../wire/api.ts";
import { readInstants, spellInstants } from "../wire/instants.ts";
import {
  ASKER_ADDRESS_HEADER,
  ERROR_CODE_HEADER,
  ERROR_HEADER,
  VERSION_HEADER,
} from "../wire/api-headers.ts";
import { askerInbox } from "../wire/rights.ts";
import { apiSubject } from "../wire/subjects.ts";
import type { Location } from "./location.ts";
import { visible } from "./visible.ts";

export type Ask = <E extends Endpoint>(endpoint: E, request: Request<E>) => Promise<Reply<E>>;

export interface Client {
  /** Connects with the first request. Throws a PlainError. */
  ask: Ask;
  close(): Promise<void>;
}

const CONNECT_WITHIN_MS = 3_000;
const ANSWER_WITHIN_MS = 10_000;

/** The exit code for each code of an error reply. */
const EXIT_OF: Readonly<Record<string, ExitCode>> = {
  400: EXIT.usage,
  403: EXIT.permission,
  404: EXIT.refused,
  409: EXIT.refused,
  503: EXIT.unavailable,
};

interface Link {
  connection: NatsConnection;
  /** "nats://127.0.0.1:4222 (from NATS_URL)". */
  where: string;
  credentials: Credentials | undefined;
}

/** The request is made in the name `who`, unless credentials name the user. */
export function createClient(who: string, locate: () => Promise<Location>): Client {
  let opening: Promise<Link> | undefined;

  /** A connection that failed or has ended is opened again by the next request. */
  async function open(): Promise<Link> {
    const forget = () => (opening = undefined);
    try {
      const link = await openLink(await locate(), who);
      void link.connection.closed().then(forget);
      return link;
    } catch (error) {
      forget();
      throw error;
    }
  }

  return {
    async ask(endpoint, request) {
      opening ??= open();
      const { connection, where, credentials } = await opening;
      const name = credentials?.name ?? who;
      const [noun = "", verb = ""] = endpoint.split(".");
      const patience = ("wait" in request && request.wait) || 0;
      const question = JSON.stringify(spellInstants(request));
      let message: Msg;
      try {
        const timeout = patience + ANSWER_WITHIN_MS;
        const subject = apiSubject(
          noun,
          verb,
          name,
          credentials?.role === "support" ? "support" : "operator",
        );
        const options = { timeout, ...addressHeader(connection) };
        message = await connection.request(subject, question, options);
      } catch (error) {
        throw explainSilence(
          error,
          where,
          whyForbidden(name, credentials?.role, `${noun} ${verb}`),
        );
      }
      return readReply(endpoint, message);
    },

    async close() {
      const link = await opening?.catch(() => undefined);
      await link?.connection.close();
    },
  };
}

/** Tells where the CLI asks from: a fleet never bans that automatically. */
function addressHeader({ info }: NatsConnection): Pick<RequestOptions, "headers"> {
  const address = info?.client_ip;
  if (address === undefined) return {};
  const fields = headers();
  fields.set(ASKER_ADDRESS_HEADER, address);
  return { headers: fields };
}

async function openLink({ nats, origin }: Location, who: string): Promise<Link> {
  const url = withoutLogin(nats.url);
  const where = `${url} (${origin === "default" ? "the default; see --nats" : `from ${origin}`})`;
  // Credentials name another.
  const options = { inboxPrefix: askerInbox(who), ...(await natsOptions(nats, "fleetban")) };
  try {
    const once = { reconnect: false, timeout: CONNECT_WITHIN_MS };
    const connection = await connect({ ...options, ...once });
    return { connection, where, credentials: credentialsOf(nats) };
  } catch (cause) {
    const { kind, text } = explainTrouble(cause, nats, Date.now());
    const reason = visible(text);
    if (kind !== "away") {
      throw new PlainError(`NATS at ${where}: ${reason}`, EXIT.permission, { cause });
    }
    const check = origin.endsWith(".fleetban/client.yaml")
      ? "is npm start running?"
      : "is nats-server running there?";
    throw new PlainError(
      `no NATS server answers at ${where}: ${reason}; ${check}`,
      EXIT.unavailable,
      { cause },
    );
  }
}

/** Why NATS does not let these credentials ask that. */
function whyForbidden(name: string, role: string | undefined, question: string): string {
  const others = "fleetban key operator makes credentials that may";
  if (role === "viewer" || role === "support") {
    return `${name} is ${role === "viewer" ? "a viewer" : "support"} and may not ask for ${question}; ${others}`;
  }
  return `${name} may not ask for ${question}: an earlier version may have made its credentials; ${others}`;
}

/** Why nobody answered the request. */
function explainSilence(error: unknown, where: string, whyForbidden: string): unknown {
  const cause = error instanceof RequestError ? (error.cause ?? error) : error;
  if (cause instanceof PermissionViolationError) {
    const text = `NATS at ${where}: ${whyForbidden}`;
    return new PlainError(visible(text), EXIT.permission, { cause });
  }
  const isNobody =
    cause instanceof NoRespondersError || (error instanceof RequestError && error.isNoResponders());
  if (isNobody) {
    const text = `no coordinator answers at ${where}: is fleetban-coordinator running?`;
    return new PlainError(text, EXIT.unavailable, { cause });
  }
  if (cause instanceof TimeoutError) {
    const text = `the coordinator at ${where} does not answer in time: see its log and /readyz`;
    return new PlainError(text, EXIT.unavailable, { cause });
  }
  return new PlainError(`NATS at ${where}: ${reasonOf(cause)}`, EXIT.unavailable, { cause });
}

async function readReply<E extends Endpoint>(endpoint: E, message: Msg): Promise<Reply<E>> {
  const code = message.headers?.get(ERROR_CODE_HEADER);
  if (code) {
    const text = visible(message.headers?.get(ERROR_HEADER) ?? "no reason given");
    throw new PlainError(text, EXIT_OF[code] ?? EXIT.unavailable);
  }
  // The coordinator has checked the reply by the schema of its version. If that is this version, the
  // reply is not checked again: to load zod and to build the schema takes longer than all else here.
  const isOfThisVersion = message.headers?.get(VERSION_HEADER) === readVersion();
  const reply = isOfThisVersion ? parseJson(message) : undefined;
  if (reply !== undefined) return readInstants(reply) as Reply<E>;
  const { checkedReply } = await import("./checked-reply.ts");
  return checkedReply(endpoint, message.data);
}

function parseJson(message: Msg): unknown {
  try {
    return message.json();
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  return visible(error instanceof Error ? error.message : String(error));
}
