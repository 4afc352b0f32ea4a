/** POST /api/...: who is logged in, logging in and out, and every request of the API. */
import type { IncomingMessage } from "node:http";
import * as z from "zod";
import { reasonOf } from "../../process/reason.ts";
import type { Answer } from "../../wire/askers.ts";
import { spellInstant } from "../../wire/instants.ts";
import { SESSION_COOKIE } from "./cookie.ts";
import { jsonReply, type HttpReply } from "./http-reply.ts";
import { checkOwn, readBody } from "./own-request.ts";
import { askerOf, type Session, type Sessions } from "./sessions.ts";
import { WebError } from "./web-error.ts";

export interface ApiRoutesOptions {
  origin: string;
  sessions: Sessions;
  /** The session of the request; undefined: nobody is logged in. */
  identify: (request: IncomingMessage) => Promise<Session | undefined>;
  /** Opens a session with the secret of a link; undefined: it is used up, or none. */
  logIn: (secret: string) => Promise<{ secret: string; session: Session } | undefined>;
  /** How people may log in: "link", "oidc". */
  ways: readonly string[];
  answer: Answer;
  version: string;
  now: () => number;
}

/** `name` is what stands behind /api/. */
export type ApiRoutes = (name: string, request: IncomingMessage) => Promise<HttpReply>;

const loginRequest = z.strictObject({ token: z.string().max(128) });

export function createApiRoutes(options: ApiRoutesOptions): ApiRoutes {
  const { origin, sessions, identify, logIn, ways, answer, version, now } = options;

  const describe = ({ name, role, expiresAt }: Session) => ({
    ...{ name, role, version },
    expiresAt: spellInstant(expiresAt),
  });

  async function loggedIn(request: IncomingMessage): Promise<Session> {
    const session = await orUnavailable(identify(request));
    if (session) return session;
    throw new WebError(401, "nobody is logged in, or the session is over", { more: { ways } });
  }

  async function openSession(body: Uint8Array): Promise<HttpReply> {
    const { data } = loginRequest.safeParse(parseJson(body));
    if (!data) throw new WebError(400, "expected the token of a link");
    const opened = await orUnavailable(logIn(data.token));
    if (!opened) {
      const text = "this link is used up or too old: fleetban web login prints another";
      throw new WebError(401, text, { more: { ways } });
    }
    const seconds = Math.max(0, Math.floor((opened.session.expiresAt - now()) / 1000));
    const headers = { "set-cookie": SESSION_COOKIE.set(opened.secret, seconds) };
    return jsonReply(200, describe(opened.session), headers);
  }

  return async (name, request) => {
    checkOwn(request, origin);
    const body = await readBody(request);
    if (name === "login") return openSession(body);
    const session = await loggedIn(request);
    if (name === "session") return jsonReply(200, describe(session));
    if (name === "logout") {
      await orUnavailable(sessions.end(session));
      return jsonReply(200, {}, { "set-cookie": SESSION_COOKIE.clear });
    }
    const answered = await answer(name, body, askerOf(session));
    if (answered.code === 200) return jsonReply(200, answered.reply);
    throw new WebError(answered.code, answered.error);
  };
}

async function orUnavailable<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (cause) {
    if (cause instanceof WebError) throw cause;
    const text = `NATS, which keeps the sessions, does not answer: ${reasonOf(cause)}; try again`;
    throw new WebError(503, text, { cause });
  }
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return undefined;
  }
}
