/**
 * What `fleetban-coordinator check` says of the web page: certificate, place and OpenID Connect. It
 * listens at the page's port for a moment, and changes nothing.
 */
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { get as getWithTls } from "node:https";
import { createServer, isIP } from "node:net";
import { text } from "node:stream/consumers";
import { hostOfUrl } from "../../config/listen.ts";
import type { CheckReport } from "../../nats/check.ts";
import { EXIT, PlainError } from "../../process/exit.ts";
import { reasonOf } from "../../process/reason.ts";
import { EXPIRES_SOON_MS, readCertificate, type CertificateFiles } from "./certificate.ts";
import { siteOf, type OidcConfig, type Site, type WebConfig } from "./web-config.ts";

const WITHIN_MS = 3_000;

/** `now`: epoch milliseconds. */
export async function checkWeb(config: WebConfig, report: CheckReport, now: number): Promise<void> {
  const site = siteOf(config);
  if (!site) {
    const { url, tls, oidc, proxy } = config;
    const isMeant = [url, tls, oidc, proxy].some((option) => option !== undefined);
    if (isMeant) report.note("web page", "there is none, because web.listen does not say where");
    return;
  }
  if (site.tls) checkCertificate({ files: site.tls, site, now }, report);
  await checkPlace(site, report);
  if (site.oidc) await checkOidc(site.oidc, site, report);
}

/** Returns undefined after it has reported that a file cannot be used. */
function tryToRead<T>(part: string, read: () => T, report: CheckReport): { value: T } | undefined {
  try {
    return { value: read() };
  } catch (error) {
    if (!(error instanceof PlainError)) throw error;
    report.failed(part, error.message, error.exitCode);
    return undefined;
  }
}

interface CertificateCheck {
  files: CertificateFiles;
  site: Site;
  now: number;
}

function checkCertificate({ files, site, now }: CertificateCheck, report: CheckReport): void {
  const part = "web certificate";
  const read = tryToRead(part, () => readCertificate(files), report);
  if (!read) return;
  const { x509: certificate } = read.value;
  const [from, until] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  const days = `valid from ${spellDay(from)} to ${spellDay(until)}`;
  if (now < from || now >= until) {
    report.failed(part, `${files.cert}: ${days}: browsers refuse it today`, EXIT.config);
    return;
  }
  const name = hostOfUrl(new URL(site.origin));
  const isNamed =
    isIP(name) === 0
      ? certificate.checkHost(name, { subject: "never" })
      : certificate.checkIP(name);
  if (isNamed === undefined) {
    const text = `${files.cert}: names ${certificate.subjectAltName ?? "nobody"}, not ${name}`;
    if (isReachedDirectly(site)) report.failed(part, `${text}: browsers refuse it`, EXIT.config);
    else report.note(part, `${text}: right only if a proxy is in front that knows it`);
    return;
  }
  const remedy = "renew it, the coordinator reads the new files by itself";
  if (until - now < EXPIRES_SOON_MS) report.note(part, `for ${name}, ${days}: ${remedy}`);
  else report.ok(part, `for ${name}, ${days}`);
}

const spellDay = (at: number): string => new Date(at).toISOString().slice(0, 10);

/** Do browsers connect to this coordinator? With another port in the address something is between. */
function isReachedDirectly({ origin, listen }: Site): boolean {
  const { port } = new URL(origin);
  return Number(port === "" ? 443 : port) === listen.port;
}

async function checkPlace(site: Site, report: CheckReport): Promise<void> {
  const { host, port } = site.listen;
  const part = "web page";
  const where = `${host} port ${port}`;
  const code = await whyNotListen(site);
  if (code === undefined) {
    report.ok(part, `can listen at ${where}`);
  } else if (code === "EADDRINUSE" && (await isOwnPage(site))) {
    report.ok(part, `a coordinator serves it at ${where} already`);
  } else {
    report.failed(part, `${where}: ${WHY_NOT[code] ?? code}`, EXIT.unavailable);
  }
}

const WHY_NOT: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there; take another port, or end that program",
  EADDRNOTAVAIL: "that is no address of this machine",
  EACCES:
    "only root may listen there; take a port from 1024 on, and let a proxy or a rule of the firewall lead to it",
};

/** The code of the error; undefined: it can listen there. */
async function whyNotListen({ listen }: Site): Promise<string | undefined> {
  const server = createServer();
  try {
    server.listen({ ...listen, exclusive: true });
    await once(server, "listening");
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : reasonOf(error);
  }
  server.close();
  await once(server, "close");
  return undefined;
}

/** Does what listens there answer as our page does? Nothing is sent that is secret. */
async function isOwnPage({ listen, basePath, tls }: Site): Promise<boolean> {
  const host = { "0.0.0.0": "127.0.0.1", "::": "::1" }[listen.host] ?? listen.host;
  const options = {
    host,
    port: listen.port,
    path: `${basePath}/`,
    timeout: WITHIN_MS,
    agent: false,
  };
  const asked = tls ? getWithTls({ ...options, rejectUnauthorized: false }) : get(options);
  asked.on("timeout", () => asked.destroy(new Error("no answer")));
  try {
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    return (await text(response)).includes("<title>fleetban</title>");
  } catch {
    return false;
  } finally {
    asked.destroy();
  }
}

async function checkOidc(config: OidcConfig, site: Site, report: CheckReport): Promise<void> {
  const part = "web login";
  // Its library is loaded only where it is needed.
  const { callbackOf, discover, readClientSecret } = await import("./oidc-discovery.ts");
  const read = tryToRead(part, () => readClientSecret(config), report);
  if (!read) return;
  try {
    await discover(config, read.value);
  } catch (error) {
    report.failed(part, `${reasonOf(error)}; links log in all the same`, EXIT.unavailable);
    return;
  }
  const { issuer, clientId } = config;
  const registered = `client ${clientId} must be registered there with ${callbackOf(site)}`;
  report.ok(part, `${issuer} answers; ${registered}, which cannot be tried from here`);
}
