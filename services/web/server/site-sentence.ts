/** Where the page is, and how people log in to it, in one line for an administrator. */
import { formatDuration } from "../../config/duration.ts";
import { spellListen } from "../../config/listen.ts";
import type { Site } from "./web-config.ts";

export function siteSentence(site: Site): string {
  const { origin, basePath, listen, tls, sessionMs, oidc, proxy } = site;
  const ways = [
    "by link",
    ...(oidc ? [`at ${oidc.issuer}`] : []),
    ...(proxy ? [`by ${proxy.header} from ${proxy.addresses.join(", ")}`] : []),
  ];
  return [
    `${origin}${basePath}/, listens at ${spellListen(listen)} ${tls ? "with TLS" : "without TLS"}`,
    `login ${ways.join(", or ")}`,
    `a session lasts ${formatDuration(sessionMs / 1000)}`,
  ].join("; ");
}
