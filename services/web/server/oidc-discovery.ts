/** What an OpenID Connect provider says of itself: a GET that changes nothing. */
import {
  allowInsecureRequests,
  ClientSecretPost,
  discovery,
  None,
  type Configuration,
} from "openid-client";
import { reasonOf } from "../../process/reason.ts";
import { readPrivateFile } from "./private-text.ts";
import type { OidcConfig, Site } from "./web-config.ts";

const WITHIN_SECONDS = 10;

/** Where the provider sends browsers back to; it must be registered there. */
export const callbackOf = (site: Pick<Site, "origin" | "basePath">): string =>
  `${site.origin}${site.basePath}/login/oidc/callback`;

/** undefined: a public client. Throws a PlainError if the file cannot be used. */
export function readClientSecret({ clientSecretFile }: OidcConfig): string | undefined {
  return clientSecretFile === undefined
    ? undefined
    : readPrivateFile("web.oidc.clientSecretFile", clientSecretFile).trim();
}

/** Throws an Error that says why the provider does not answer, or not as one. */
export async function discover(
  { issuer, clientId }: Pick<OidcConfig, "issuer" | "clientId">,
  secret: string | undefined,
): Promise<Configuration> {
  // The configuration takes http:// only to this machine.
  // oxlint-disable-next-line typescript/no-deprecated -- marked so to stand out
  const execute = new URL(issuer).protocol === "http:" ? [allowInsecureRequests] : [];
  const authentication = secret === undefined ? None() : ClientSecretPost(secret);
  const options = { timeout: WITHIN_SECONDS, execute };
  try {
    return await discovery(new URL(issuer), clientId, undefined, authentication, options);
  } catch (cause) {
    throw new Error(`${issuer} does not answer: ${deepestReasonOf(cause)}`, { cause });
  }
}

/** fetch says that it has failed; its cause says why. */
function deepestReasonOf(error: unknown): string {
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  const cause = inner ?? (error instanceof Error ? error.cause : undefined);
  return cause instanceof Error ? deepestReasonOf(cause) : reasonOf(error);
}
