/** GET /login/oidc and GET /login/oidc/callback. */
import type { IncomingMessage } from "node:http";
import { SESSION_COOKIE } from "./cookie.ts";
import type { HttpReply } from "./http-reply.ts";
import type { OidcLogin } from "./oidc-login.ts";
import type { Sessions } from "./sessions.ts";
import type { Site } from "./web-config.ts";
import { WebError } from "./web-error.ts";

/** `name` is what stands behind /login/. */
export type OidcRoutes = (name: string, request: IncomingMessage) => Promise<HttpReply>;

export interface OidcRoutesOptions {
  login: OidcLogin;
  site: Site;
  sessions: Sessions;
  now: () => number;
}

export function createOidcRoutes({ login, site, sessions, now }: OidcRoutesOptions): OidcRoutes {
  return async (name, request) => {
    if (name === "oidc") return login.begin();
    if (name !== "oidc/callback") throw new WebError(404, "there is no such way to log in");
    const { secret, session } = await sessions.start(await login.finish(request));
    const seconds = Math.floor((session.expiresAt - now()) / 1000);
    const cookies = [SESSION_COOKIE.set(secret, seconds), login.clearCookie];
    const headers = { location: `${site.basePath}/`, "set-cookie": cookies };
    return { code: 303, headers: { ...headers, "cache-control": "no-store" }, body: "" };
  };
}
