/** `web` of coordinator.yaml: where the web page is, and how people log in to it. */
import * as z from "zod";
import { duration } from "../../config/duration-setting.ts";
import {
  hostOfUrl,
  isLoopback,
  listenConfig,
  parseListen,
  type ListenAddress,
} from "../../config/listen.ts";
import { parseNetwork, type Address } from "../../wire/address.ts";
import { roleLists } from "./role-lists.ts";

const SHORTEST_SESSION = 300;
export const LONGEST_SESSION_SECONDS = 7 * 86_400;

const file = z.string().min(1).max(4096);

const publicUrl = z.string().max(2048).refine(isPublicUrl, {
  error:
    "expected a URL such as https://bans.example.org/fleetban, http:// only to this machine, without a login, ? or #",
});

function isPublicUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || url.username !== "" || url.password !== "") return false;
  if (url.search !== "" || url.hash !== "" || /[?#]/.test(text)) return false;
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopbackUrl(url));
}

const isLoopbackUrl = (url: URL) => isLoopback(hostOfUrl(url));

export const proxyConfig = z.strictObject({
  addresses: z
    .array(
      z.string().transform((text, context): Address => {
        const network = parseNetwork(text);
        if (network !== undefined) return network;
        const message = `expected an address or network such as 192.0.2.0/24, got ${JSON.stringify(text)}`;
        context.addIssue({ code: "custom", message });
        return z.NEVER;
      }),
    )
    .min(1),
  header: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/)
    .default("X-Remote-User"),
  /** By name. */
  roles: roleLists,
});
export type ProxyConfig = z.output<typeof proxyConfig>;

const claim = z.string().min(1).max(256);

export const oidcConfig = z.strictObject({
  issuer: z
    .string()
    .max(2048)
    .refine(
      isIssuer,
      "expected a URL such as https://login.example.org, http:// only to this machine",
    ),
  clientId: claim,
  /** undefined: a public client, which only PKCE protects. */
  clientSecretFile: z.string().min(1).max(4096).optional(),
  scope: claim.default("openid profile email"),
  nameClaim: claim.default("preferred_username"),
  groupsClaim: claim.default("groups"),
  /** By group. */
  roles: roleLists,
});
export type OidcConfig = z.output<typeof oidcConfig>;

function isIssuer(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url.hostname));
}

export const webConfig = z
  .strictObject({
    /** undefined: there is no web page. */
    listen: listenConfig.optional(),
    /** Where people open the page; undefined: where it listens. */
    url: publicUrl.optional(),
    tls: z.strictObject({ cert: file, key: file }).optional(),
    /** Seconds. */
    session: duration
      .refine(
        (seconds) => seconds >= SHORTEST_SESSION && seconds <= LONGEST_SESSION_SECONDS,
        "expected 5m to 7d",
      )
      .default(12 * 3_600),
    /** A proxy that may name the people whom it has logged in; undefined: there is none. */
    proxy: proxyConfig.optional(),
    oidc: oidcConfig.optional(),
  })
  .superRefine(({ listen, tls, url }, context) => {
    if (listen === undefined) return;
    const isLocal = isLoopback(parseListen(listen).host);
    const refuse = (path: string, message: string) =>
      context.addIssue({ code: "custom", path: [path], message });
    if (!isLocal && !tls) {
      refuse(
        "tls",
        "expected a certificate and its key: others than this machine reach web.listen",
      );
    }
    if (!isLocal && url === undefined) {
      refuse("url", "expected the address at which people open the page");
    }
  });
export type WebConfig = z.output<typeof webConfig>;

/** The page as browsers see it. */
export interface Site {
  listen: ListenAddress;
  /** "https://bans.example.org": the only origin whose requests may change anything. */
  origin: string;
  /** "" or "/fleetban": the path that every path of the page begins with. */
  basePath: string;
  tls: { cert: string; key: string } | undefined;
  /** How long a session lasts at most. */
  sessionMs: number;
  proxy: ProxyConfig | undefined;
  oidc: OidcConfig | undefined;
}

/** undefined: there is no web page. */
export function siteOf(config: WebConfig): Site | undefined {
  const { listen, url, tls, session, proxy, oidc } = config;
  if (listen === undefined) return undefined;
  const { origin, pathname } = new URL(url ?? `${tls ? "https" : "http"}://${listen}`);
  return {
    listen: parseListen(listen),
    origin,
    basePath: pathname.replace(/\/+$/, ""),
    tls,
    sessionMs: session * 1000,
    ...{ proxy, oidc },
  };
}
