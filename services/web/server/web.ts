/** The web page inside the coordinator: its parts and how they hang together. */
import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { NatsConnection } from "@nats-io/nats-core";
import type { Log } from "../../process/log.ts";
import type { Answer } from "../../wire/askers.ts";
import { warn, type Warning } from "../../wire/warnings.ts";
import { createApiRoutes } from "./api-routes.ts";
import { readBundledPage } from "./bundled-page.ts";
import { openCertificate } from "./certificate.ts";
import { SESSION_COOKIE } from "./cookie.ts";
import { createOidcRoutes, type OidcRoutes, type OidcRoutesOptions } from "./oidc-routes.ts";
import { identifyByProxy } from "./proxy-login.ts";
import { openSessionBucket } from "./session-bucket.ts";
import { createFeed, type Feed, type NewsSource } from "./feed.ts";
import { createSessions, type Person, type Session } from "./sessions.ts";
import { createStaticPage } from "./static-page.ts";
import type { OidcConfig, Site } from "./web-config.ts";
import { serveWeb, type WebServer } from "./web-server.ts";

export interface WebOptions {
  site: Site;
  connection: NatsConnection;
  replicas: number;
  /** What `npm start` has put into its link; undefined: there is no such link. */
  localLogin: LocalLogin | undefined;
  version: string;
  now: () => number;
  log: Log;
}

/** A link that can be used again and again, by whoever may read the terminal of `npm start`. */
export interface LocalLogin {
  token: string;
  person: Person;
}

export interface Web {
  /** Returns the address of a link that opens one session for this person. */
  createLink(person: Person): Promise<string>;
  warnings(): Warning[];
  /** Reads the files of the certificate again. */
  hangUp(): void;
  /** Serves the page, as soon as there is somebody to answer. */
  serve(answer: Answer, source: NewsSource): Promise<WebServer>;
  stop(): void;
}

export function openWeb(options: WebOptions): Web {
  const { site, connection, replicas, localLogin, version, now, log } = options;
  const { origin, basePath } = site;
  const certificate = site.tls && openCertificate({ files: site.tls, now, log });
  const later: { feed?: Feed } = {};
  const onEnded = (hash: string) => later.feed?.end(hash);
  const bucket = openSessionBucket({ connection, replicas, onEnded, now, log });
  const sessions = createSessions({ bucket, sessionMs: site.sessionMs, now });

  async function logIn(secret: string) {
    const isLocal = localLogin !== undefined && isSame(secret, localLogin.token);
    const person = isLocal ? localLogin.person : await sessions.takeLink(secret);
    return person && sessions.start(person);
  }

  async function identify(request: IncomingMessage): Promise<Session | undefined> {
    const vouched = site.proxy && identifyByProxy(site.proxy, request, now());
    if (vouched) return vouched;
    const secret = SESSION_COOKIE.read(request);
    return secret === undefined ? undefined : sessions.find(secret);
  }

  return {
    createLink: async (person) => `${origin}${basePath}/login#${await sessions.createLink(person)}`,
    warnings() {
      const reason = bucket.trouble();
      return [
        ...(reason === undefined ? [] : [warn("web-sessions", { reason })]),
        ...(certificate?.warnings() ?? []),
      ];
    },
    hangUp: () => certificate?.readAgain(),
    async serve(answer, source) {
      const feed = createFeed({ source, now });
      later.feed = feed;
      const page = createStaticPage(readBundledPage(), basePath);
      const api = createApiRoutes({
        ...{ origin, sessions, logIn, answer, version, now },
        ways: site.oidc ? ["link", "oidc"] : ["link"],
        identify,
      });
      const oidc = site.oidc && (await openOidc(site.oidc, { site, sessions, now, log }));
      return serveWeb({ site, certificate, page, api, feed, oidc, identify, log });
    },
    stop() {
      later.feed?.stop();
      certificate?.stop();
      bucket.stop();
    },
  };
}

/** Its library is loaded only where it is needed. */
async function openOidc(
  config: OidcConfig,
  options: Omit<OidcRoutesOptions, "login"> & { log: Log },
): Promise<OidcRoutes> {
  const { OidcLogin } = await import("./oidc-login.ts");
  return createOidcRoutes({
    login: new OidcLogin(config, options.site, options.log),
    ...options,
  });
}

function isSame(given: string, token: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}
