/**
 * The web page's HTTP server, inside the coordinator. It keeps no state of its own: what it shows are
 * answers of the API, and who is logged in stands in NATS.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { EXIT, PlainError } from "../../process/exit.ts";
import type { Log } from "../../process/log.ts";
import { reasonOf } from "../../process/reason.ts";
import type { ApiRoutes } from "./api-routes.ts";
import type { Certificate } from "./certificate.ts";
import type { Feed } from "./feed.ts";
import { errorReply, type HttpReply } from "./http-reply.ts";
import { SECURITY_HEADERS } from "./security-headers.ts";
import type { OidcRoutes } from "./oidc-routes.ts";
import type { Session } from "./sessions.ts";
import type { StaticPage } from "./static-page.ts";
import type { Site } from "./web-config.ts";
import { WebError } from "./web-error.ts";

export interface WebServerOptions {
  site: Site;
  /** undefined: without TLS. */
  certificate: Certificate | undefined;
  page: StaticPage;
  api: ApiRoutes;
  feed: Feed;
  /** undefined: nobody logs in so. */
  oidc: OidcRoutes | undefined;
  /** The session of the request; undefined: nobody is logged in. */
  identify: (request: IncomingMessage) => Promise<Session | undefined>;
  log: Log;
}

export interface WebServer {
  close(): Promise<void>;
}

/** A request with its body arrives within this time, or its connection is closed. */
const REQUEST_WITHIN_MS = 30_000;
const HEADERS_WITHIN_MS = 10_000;

export async function serveWeb(options: WebServerOptions): Promise<WebServer> {
  const { site, certificate } = options;
  const { host, port } = site.listen;
  const responder = new Responder(options);
  const listener = (request: IncomingMessage, response: ServerResponse) =>
    void responder.respond(request, response);
  const timeouts = { requestTimeout: REQUEST_WITHIN_MS, headersTimeout: HEADERS_WITHIN_MS };
  const openTls = (of: Certificate) => {
    const tls = createTlsServer({ ...timeouts, ...of.pair() }, listener);
    of.follow(tls);
    return tls;
  };
  const server = certificate ? openTls(certificate) : createServer(timeouts, listener);
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (cause) {
    const text = `web.listen: ${host}:${port}: ${reasonOf(cause)}`;
    throw new PlainError(text, EXIT.unavailable, { cause });
  }
  return {
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

class Responder {
  readonly #options: WebServerOptions;

  constructor(options: WebServerOptions) {
    this.#options = options;
  }

  async respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
    const reply = await this.#reply(request, response).catch((error: unknown) => {
      if (error instanceof WebError) return errorReply(error, request.method);
      const { log } = this.#options;
      log.error({ err: error, path: request.url }, "a request of the web page failed");
      return errorReply(new WebError(500, "the coordinator's log has the reason"), request.method);
    });
    if (!reply) return;
    // The rest of a body that is not wanted would be taken for the next request.
    if (!request.complete) response.shouldKeepAlive = false;
    response.writeHead(reply.code, {
      ...reply.headers,
      "content-length": Buffer.byteLength(reply.body),
    });
    response.end(request.method === "HEAD" ? undefined : reply.body);
  }

  /** undefined: the answer goes on. */
  async #reply(request: IncomingMessage, response: ServerResponse): Promise<HttpReply | undefined> {
    const { site, page, api, oidc } = this.#options;
    const path = pathBelow(site.basePath, request.url ?? "");
    if (path === undefined) throw new WebError(404, `the page is at ${site.basePath}/`);
    const [, first = "", ...rest] = path.split("/");
    const name = rest.join("/");
    if (request.method === "POST") {
      if (first === "api") return api(name, request);
    } else if (request.method === "GET" || request.method === "HEAD") {
      if (first === "feed" && request.method === "GET") return this.#openFeed(request, response);
      if (oidc && first === "login" && name.startsWith("oidc")) return oidc(name, request);
      if (first === "assets") return page.asset(name, request);
      if (first !== "api") return page.index();
    }
    throw new WebError(405, "pages and files are read with GET, the API is asked with POST");
  }

  async #openFeed(request: IncomingMessage, response: ServerResponse): Promise<undefined> {
    const session = await this.#options.identify(request);
    if (!session) throw new WebError(401, "nobody is logged in, or the session is over");
    this.#options.feed.open(request, response, session);
  }
}

/** "/bans" of "/fleetban/bans?jail=dovecot"; undefined: it is not below the base path. */
function pathBelow(basePath: string, url: string): string | undefined {
  const [path = ""] = url.split(/[?#]/, 1);
  if (path === basePath) return "/";
  return path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : undefined;
}
