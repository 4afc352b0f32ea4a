/**
 * Logging in with OpenID Connect: the page sends the browser to the provider, which sends it back with a
 * code. The code is worth nothing without what stands in a cookie of this browser (PKCE, state, nonce),
 * so no coordinator has to remember who is on the way.
 */
import type { IncomingMessage } from "node:http";
import {
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  fetchUserInfo,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
  type Configuration,
} from "openid-client";
import * as z from "zod";
import type { Log } from "../../process/log.ts";
import { reasonOf } from "../../process/reason.ts";
import { createCookie } from "./cookie.ts";
import type { HttpReply } from "./http-reply.ts";
import { callbackOf, discover, readClientSecret } from "./oidc-discovery.ts";
import { ASKER_NAME, roleOf } from "./role-lists.ts";
import type { Person } from "./sessions.ts";
import type { OidcConfig, Site } from "./web-config.ts";
import { WebError } from "./web-error.ts";

/** Lax: the browser comes back from another site, and must bring it. */
const cookie = createCookie("__Host-fleetban-oidc", "Lax");
/** Somebody may have to find a password meanwhile. */
const LOGIN_SECONDS = 600;

const onTheWay = z.strictObject({ state: z.string(), nonce: z.string(), verifier: z.string() });

export interface OidcLogin {
  /** GET /login/oidc: sends the browser to the provider. */
  begin(): Promise<HttpReply>;
  /** GET /login/oidc/callback: who has come back. Throws a WebError. */
  finish(request: IncomingMessage): Promise<Person>;
  /** Clears what `begin` has set. */
  clearCookie: string;
}

export function createOidcLogin(config: OidcConfig, site: Site, log: Log): OidcLogin {
  const { issuer, scope, nameClaim, groupsClaim, roles } = config;
  const callback = callbackOf(site);
  const secret = readClientSecret(config);
  let discovered: Promise<Configuration> | undefined;

  /** What the provider says of itself, asked once it is needed. */
  function provider(): Promise<Configuration> {
    discovered ??= discover(config, secret).catch((cause: unknown) => {
      discovered = undefined;
      throw new WebError(503, reasonOf(cause), { cause });
    });
    return discovered;
  }

  /** Claims of the ID token, and of the provider's userinfo where name or groups stand only there. */
  async function claimsOf(request: IncomingMessage): Promise<Record<string, unknown>> {
    const begun = readCookie(request);
    const client = await provider();
    const url = new URL(callback);
    url.search = new URL(request.url ?? "", callback).search;
    try {
      const tokens = await authorizationCodeGrant(client, url, {
        expectedState: begun.state,
        expectedNonce: begun.nonce,
        pkceCodeVerifier: begun.verifier,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (!claims) throw new Error("the provider has sent no ID token");
      const isWhole = nameClaim in claims && groupsClaim in claims;
      if (isWhole || client.serverMetadata().userinfo_endpoint === undefined) return claims;
      return { ...claims, ...(await fetchUserInfo(client, tokens.access_token, claims.sub)) };
    } catch (cause) {
      log.warn({ err: cause }, "a login with OIDC has failed");
      throw new WebError(403, `${issuer} does not confirm this login: ${reasonOf(cause)}`, {
        cause,
      });
    }
  }

  return {
    async begin() {
      const begun = {
        state: randomState(),
        nonce: randomNonce(),
        verifier: randomPKCECodeVerifier(),
      };
      const url = buildAuthorizationUrl(await provider(), {
        ...{ redirect_uri: callback, scope, state: begun.state, nonce: begun.nonce },
        code_challenge: await calculatePKCECodeChallenge(begun.verifier),
        code_challenge_method: "S256",
      });
      const value = Buffer.from(JSON.stringify(begun)).toString("base64url");
      const headers = { location: url.href, "set-cookie": cookie.set(value, LOGIN_SECONDS) };
      return { code: 303, headers: { ...headers, "cache-control": "no-store" }, body: "" };
    },

    async finish(request) {
      const claims = await claimsOf(request);
      const name = claims[nameClaim];
      if (typeof name !== "string" || !ASKER_NAME.test(name)) {
        const expected = "expected a name of letters, digits and ._@+-";
        throw new WebError(403, `claim ${nameClaim} of ${issuer}: ${expected}`);
      }
      const groups = z.union([z.string(), z.array(z.string())]).safeParse(claims[groupsClaim]);
      const role = roleOf(roles, [groups.data ?? []].flat());
      if (role) return { name, role, key: null, keyUntil: null };
      throw new WebError(
        403,
        `no group of ${name} has a role: see web.oidc.roles of coordinator.yaml`,
      );
    },

    clearCookie: cookie.clear,
  };
}

function readCookie(request: IncomingMessage): z.output<typeof onTheWay> {
  try {
    const text = Buffer.from(cookie.read(request) ?? "", "base64url").toString();
    return onTheWay.parse(JSON.parse(text));
  } catch (cause) {
    const text = "this login has not begun in this browser, or long ago: begin again";
    throw new WebError(403, text, { cause });
  }
}
