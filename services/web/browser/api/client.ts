/**
 * The one way to the server. Every question and command is a POST with a header that no form of
 * another site can send; the cookie goes along by itself.
 */
import type { Endpoint, Reply, Request } from "./messages.ts";

export type Role = "viewer" | "support" | "operator";

export interface Session {
  /** "alice": actions are recorded as those of "operator alice" and so on. */
  name: string;
  role: Role;
  expiresAt: string;
  /** Of fleetban. */
  version: string;
}

/** The server has refused, or could not be asked. */
export class RequestError extends Error {
  override name = "RequestError";
  /** HTTP's number; undefined: there was no answer. */
  readonly status: number | undefined;
  /** With 401: the ways to log in that the server offers. */
  readonly ways: readonly string[];

  constructor(message: string, options: { status?: number; ways?: string[]; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.status = options.status;
    this.ways = options.ways ?? [];
  }
}

export interface Client {
  ask<E extends Endpoint>(
    endpoint: E,
    request: Request<E>,
    signal?: AbortSignal,
  ): Promise<Reply<E>>;
  /** Says who is logged in. Throws a RequestError with status 401 if nobody is. */
  session(): Promise<Session>;
  /** Exchanges the token of a link for a session. */
  logIn(token: string): Promise<Session>;
  logOut(): Promise<void>;
}

export interface ClientOptions {
  /** "" or "/fleetban". */
  base: string;
  /** The session has ended, or another reason why the server wants a login. */
  onSignedOut: (error: RequestError) => void;
}

export function createClient({ base, onSignedOut }: ClientOptions): Client {
  async function post(path: string, body: object, signal?: AbortSignal): Promise<unknown> {
    const response = await fetchOrFail(`${base}/api/${path}`, {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json", "Fleetban-Web": "1" },
      body: JSON.stringify(body),
      ...(signal && { signal }),
    });
    const reply: unknown = await response.json().catch(() => undefined);
    if (response.ok) return reply;
    throw errorOf(response, reply);
  }

  async function ask(path: string, body: object, signal?: AbortSignal): Promise<unknown> {
    try {
      return await post(path, body, signal);
    } catch (error) {
      if (error instanceof RequestError && error.status === 401) onSignedOut(error);
      throw error;
    }
  }

  return {
    // Per endpoint request and reply belong together; the server checks both with the schemas.
    ask: async (endpoint, request, signal) =>
      (await ask(endpoint, request, signal)) as Reply<typeof endpoint>,
    session: async () => (await post("session", {})) as Session,
    logIn: async (token) => (await post("login", { token })) as Session,
    async logOut() {
      await post("logout", {});
    },
  };
}

async function fetchOrFail(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw new RequestError(
      "the coordinator does not answer: is it running, and is the network up?",
      {
        cause,
      },
    );
  }
}

function errorOf(response: Response, reply: unknown): RequestError {
  const { error, ways } = (reply ?? {}) as { error?: unknown; ways?: unknown };
  const message = typeof error === "string" ? error : `the server answers ${response.status}`;
  return new RequestError(message, {
    status: response.status,
    ways: Array.isArray(ways) ? ways.map(String) : [],
  });
}
