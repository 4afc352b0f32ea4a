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

export class OidcLogin {
  readonly #config: OidcConfig;
  readonly #callback: string;
  readonly #secret: string | undefined;
  readonly #log: Log;
  #discovered: Promise<Configuration> | undefined;
  /** Clears what `begin` has set. */
  readonly clearCookie = cookie.clear;

  constructor(config: OidcConfig, site: Site, log: Log) {
    this.#config = config;
    this.#callback = callbackOf(site);
    this.#secret = readClientSecret(config);
    this.#log = log;
  }

  /** GET /login/oidc: sends the browser to the provider. */
  async begin(): Promise<HttpReply> {
    const begun = {
      state: randomState(),
      nonce: randomNonce(),
      verifier: randomPKCECodeVerifier(),
    };
    const url = buildAuthorizationUrl(await this.#provider(), {
      ...{ redirect_uri: this.#callback, scope: this.#config.scope },
      ...{ state: begun.state, nonce: begun.nonce },
      code_challenge: await calculatePKCECodeChallenge(begun.verifier),
      code_challenge_method: "S256",
    });
    const value = Buffer.from(JSON.stringify(begun)).toString("base64url");
    const headers = { location: url.href, "set-cookie": cookie.set(value, LOGIN_SECONDS) };
    return { code: 303, headers: { ...headers, "cache-control": "no-store" }, body: "" };
  }

  /** GET /login/oidc/callback: who has come back. Throws a WebError. */
  async finish(request: IncomingMessage): Promise<Person> {
    const { issuer, nameClaim, groupsClaim, roles } = this.#config;
    const claims = await this.#claimsOf(request);
    const name = claims[nameClaim];
    if (typeof name !== "string" || !ASKER_NAME.test(name)) {
      const expected = "expected a name of letters, digits and ._@+-";
      throw new WebError(403, `claim ${nameClaim} of ${issuer}: ${expected}`);
    }
    const groups = z.union([z.string(), z.array(z.string())]).safeParse(claims[groupsClaim]);
    const role = roleOf(roles, [groups.data ?? []].flat());
    if (role) return { name, role, key: null, keyUntil: null };
    const text = `no group of ${name} has a role: see web.oidc.roles of coordinator.yaml`;
    throw new WebError(403, text);
  }

  /** What the provider says of itself, asked once it is needed. */
  #provider(): Promise<Configuration> {
    this.#discovered ??= discover(this.#config, this.#secret).catch((cause: unknown) => {
      this.#discovered = undefined;
      throw new WebError(503, reasonOf(cause), { cause });
    });
    return this.#discovered;
  }

  /** Claims of the ID token, and of the provider's userinfo where name or groups stand only there. */
  async #claimsOf(request: IncomingMessage): Promise<Record<string, unknown>> {
    const { issuer, nameClaim, groupsClaim } = this.#config;
    const begun = readCookie(request);
    const client = await this.#provider();
    const url = new URL(this.#callback);
    url.search = new URL(request.url ?? "", this.#callback).search;
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
      this.#log.warn({ err: cause }, "a login with OIDC has failed");
      const text = `${issuer} does not confirm this login: ${reasonOf(cause)}`;
      throw new WebError(403, text, { cause });
    }
  }
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
