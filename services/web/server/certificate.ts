/**
 * The certificate of the page's server. It is read again once a minute and at SIGHUP, so a renewal needs
 * no restart. Files that cannot be used change nothing: the server keeps the certificate that it has.
 */
import { X509Certificate } from "node:crypto";
import type { Server } from "node:https";
import { createSecureContext } from "node:tls";
import { EXIT, PlainError } from "../../process/exit.ts";
import type { Log } from "../../process/log.ts";
import { reasonOf } from "../../process/reason.ts";
import { warn, type Warning } from "../../wire/warnings.ts";
import { readFile, readPrivateFile } from "./private-text.ts";

export interface CertificateFiles {
  cert: string;
  key: string;
}

/** PEM texts. */
export interface CertificatePair {
  cert: string;
  key: string;
}

interface ReadCertificate {
  pair: CertificatePair;
  /** The certificate itself, not those of its authorities behind it. */
  x509: X509Certificate;
}

export interface Certificate {
  /** What a server is made with. */
  pair(): CertificatePair;
  /** From now on `server` gets every later certificate. */
  follow(server: Pick<Server, "setSecureContext">): void;
  /** Reads the files now. */
  readAgain(): void;
  warnings(): Warning[];
  stop(): void;
}

export interface CertificateOptions {
  files: CertificateFiles;
  now: () => number;
  log: Log;
}

const READ_EVERY_MS = 60_000;
/** Renewals usually come a month before the end. */
export const EXPIRES_SOON_MS = 14 * 86_400_000;

/** Throws a PlainError if the files cannot be used. */
export function readCertificate({ cert, key }: CertificateFiles): ReadCertificate {
  const pair = { cert: readFile("web.tls.cert", cert), key: readPrivateFile("web.tls.key", key) };
  try {
    createSecureContext(pair);
    return { pair, x509: new X509Certificate(pair.cert) };
  } catch (cause) {
    const expected = "expected a certificate and its key in PEM";
    const text = `web.tls: ${cert}, ${key}: ${expected}: ${reasonOf(cause)}`;
    throw new PlainError(text, EXIT.config, { cause });
  }
}

const endOf = ({ x509 }: ReadCertificate): number => Date.parse(x509.validTo);

/** Throws a PlainError if the files cannot be used. */
export function openCertificate({ files, now, log }: CertificateOptions): Certificate {
  let inUse = readCertificate(files);
  /** Why the files cannot be used; undefined: they can. */
  let fault: string | undefined;
  let server: Pick<Server, "setSecureContext"> | undefined;

  function look(): void {
    try {
      const read = readCertificate(files);
      const { pair } = read;
      fault = undefined;
      if (pair.cert === inUse.pair.cert && pair.key === inUse.pair.key) return;
      inUse = read;
      server?.setSecureContext(pair);
      const until = new Date(endOf(read)).toISOString();
      log.info({ cert: files.cert, until }, "the web page has another certificate");
    } catch (error) {
      if (!(error instanceof PlainError)) throw error;
      if (error.message !== fault) {
        const { message: reason } = error;
        log.error({ reason }, "the web page keeps its certificate: the new one cannot be used");
      }
      fault = error.message;
    }
  }

  const timer = setInterval(look, READ_EVERY_MS);
  return {
    pair: () => inUse.pair,
    follow: (running) => (server = running),
    readAgain() {
      fault = undefined; // whoever asks gets an answer, also if it is the same as before
      look();
    },
    warnings() {
      const until = endOf(inUse);
      const isNear = until - now() < EXPIRES_SOON_MS;
      return [
        ...(fault === undefined ? [] : [warn("web-certificate", { reason: fault })]),
        ...(isNear ? [warn("web-certificate-expires", { until, now: now() })] : []),
      ];
    },
    stop: () => clearInterval(timer),
  };
}
