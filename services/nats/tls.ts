/** How a NATS server's certificate is checked: its authority, and the names in it. */
import { X509Certificate } from "node:crypto";
import { promises as files } from "node:fs";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { EXIT, PlainError } from "../process/exit.ts";
import { explainFileError, isErrno } from "../process/file-error.ts";

export interface NatsTls {
  caFile?: string;
  checkServerIdentity: (host: string, certificate: PeerCertificate) => Error | undefined;
}

/**
 * A certificate must name one of the servers that were asked for, host name or IP address;
 * the client itself would compare IP addresses with "localhost". The client reads `ca` at every
 * connection, so another authority needs no restart. Throws a PlainError when it is none.
 */
export async function natsTls(
  servers: readonly string[],
  ca: string | undefined,
  onCertificate: (until: number) => void = () => {},
): Promise<NatsTls> {
  if (ca !== undefined) await checkAuthority(ca);
  const hosts = servers.map(hostOf);
  return {
    ...(ca !== undefined && { caFile: ca }),
    checkServerIdentity(_, certificate) {
      onCertificate(Date.parse(certificate.valid_to));
      const errors = hosts.map((host) => checkServerIdentity(host, certificate));
      return errors.includes(undefined) ? undefined : errors[0];
    },
  };
}

/** "nats.example.org" of "tls://nats.example.org:4222", "2001:db8::1" of "[2001:db8::1]:4222". */
function hostOf(server: string): string {
  const url = server.includes("://") ? server : `nats://${server}`;
  return new URL(url).hostname.replace(/^\[|\]$/g, "");
}

async function checkAuthority(file: string): Promise<void> {
  let text: string;
  try {
    text = await files.readFile(file, "utf8");
  } catch (cause) {
    const isDenied = isErrno(cause, "EACCES");
    // It holds no secret: everybody may read it.
    const remedy = isDenied ? `; chmod 644 ${file}, and let its folder be entered` : "";
    const reason = `${explainFileError(cause)}${remedy}`;
    throw new PlainError(`${file}: nats.ca cannot be read: ${reason}`, EXIT.config, { cause });
  }
  try {
    new X509Certificate(text);
  } catch (cause) {
    const expected = "expected a certificate in PEM, the ca.pem of the fleet's keys";
    throw new PlainError(`${file}: nats.ca: ${expected}`, EXIT.config, { cause });
  }
}
