/**
 * A provider of OpenID Connect on loopback, for one client: discovery, keys, the authorization endpoint,
 * which logs in at once whoever the test names, the token endpoint, which checks what it must check, and
 * the userinfo.
 */
import { createHash, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import type { AddressInfo } from "node:net";

export interface OidcProvider extends AsyncDisposable {
  issuer: string;
  /** Claims of whoever logs in next, in the ID token. */
  person: Record<string, unknown>;
  /** Claims that stand in the userinfo; undefined: it refuses the access token. */
  userinfo: Record<string, unknown> | undefined;
  /** What the next ID token is to have in place of what it should have. */
  forged: Record<string, unknown>;
}

interface Begun {
  challenge: string;
  nonce: string;
  redirect: string;
}

export async function startOidcProvider(client: {
  id: string;
  secret: string;
}): Promise<OidcProvider> {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const begun = new Map<string, Begun>();
  const accessTokens = new Set<string>();
  const server = createServer((request, response) => {
    void answer(request).then(({ code, location, body }) => {
      response.writeHead(code, {
        "content-type": "application/json",
        ...(location !== undefined && { location }),
      });
      response.end(JSON.stringify(body ?? {}));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const issuer = `http://127.0.0.1:${port}`;

  function tokenOf(nonce: string): string {
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      ...{ iss: issuer, aud: client.id, iat: now, exp: now + 60, nonce },
      ...provider.person,
      ...provider.forged,
    };
    const spell = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
    const signed = `${spell({ alg: "RS256", kid: "k1" })}.${spell(claims)}`;
    return `${signed}.${sign("sha256", Buffer.from(signed), privateKey).toString("base64url")}`;
  }

  async function answer(
    request: IncomingMessage,
  ): Promise<{ code: number; location?: string; body?: object }> {
    const url = new URL(request.url ?? "", issuer);
    const parameter = (name: string) => url.searchParams.get(name) ?? "";
    switch (url.pathname) {
      case "/.well-known/openid-configuration":
        return {
          code: 200,
          body: {
            issuer,
            authorization_endpoint: `${issuer}/authorize`,
            token_endpoint: `${issuer}/token`,
            userinfo_endpoint: `${issuer}/userinfo`,
            jwks_uri: `${issuer}/keys`,
            response_types_supported: ["code"],
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: ["RS256"],
          },
        };
      case "/keys":
        return {
          code: 200,
          body: { keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k1", alg: "RS256" }] },
        };
      case "/authorize": {
        const code = randomUUID();
        const redirect = parameter("redirect_uri");
        begun.set(code, {
          ...{ challenge: parameter("code_challenge"), nonce: parameter("nonce"), redirect },
        });
        const back = new URL(redirect);
        back.search = new URLSearchParams({ code, state: parameter("state") }).toString();
        return { code: 303, location: back.href };
      }
      case "/token": {
        const form = new URLSearchParams(await text(request));
        const given = (name: string) => form.get(name) ?? "";
        const { challenge, nonce, redirect } = begun.get(given("code")) ?? {};
        begun.delete(given("code"));
        const proof = createHash("sha256").update(given("code_verifier")).digest("base64url");
        const isRight =
          proof === challenge &&
          given("redirect_uri") === redirect &&
          given("client_id") === client.id &&
          given("client_secret") === client.secret;
        if (!isRight || nonce === undefined) return { code: 400, body: { error: "invalid_grant" } };
        const token = randomUUID();
        accessTokens.add(token);
        const body = { access_token: token, token_type: "Bearer", id_token: tokenOf(nonce) };
        return { code: 200, body };
      }
      case "/userinfo": {
        const token = request.headers.authorization?.replace(/^Bearer /, "") ?? "";
        if (!accessTokens.has(token) || !provider.userinfo) return { code: 401 };
        return { code: 200, body: provider.userinfo };
      }
      default:
        return { code: 404 };
    }
  }

  const provider: OidcProvider = {
    issuer,
    person: {},
    userinfo: {},
    forged: {},
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return provider;
}
