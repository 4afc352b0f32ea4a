/** The certificate of the page's server, read again when its files change: renewals need no restart. */
import { createSecureContext } from "node:tls";
import type { Server } from "node:https";
import { EXIT, PlainError } from "../../process/exit.ts";
import type { Log } from "../../process/log.ts";
import { reasonOf } from "../../process/reason.ts";
import { readFile, readPrivateFile } from "./private-text.ts";

export interface TlsFiles {
  cert: string;
  key: string;
}

const LOOK_EVERY_MS = 60_000;

/** PEM texts. Throws a PlainError if they cannot be used. */
export function readTlsFiles({ cert, key }: TlsFiles): { cert: string; key: string } {
  const pair = { cert: readFile("web.tls.cert", cert), key: readPrivateFile("web.tls.key", key) };
  try {
    createSecureContext(pair);
  } catch (cause) {
    const expected = "expected a certificate and its key in PEM";
    const text = `web.tls: ${cert}, ${key}: ${expected}: ${reasonOf(cause)}`;
    throw new PlainError(text, EXIT.config, { cause });
  }
  return pair;
}

/** Returns how to stop. */
export function followTlsFiles(
  files: TlsFiles,
  server: Pick<Server, "setSecureContext">,
  log: Log,
): () => void {
  let inUse = JSON.stringify(readTlsFiles(files));
  let trouble = "";
  const timer = setInterval(() => {
    try {
      const pair = readTlsFiles(files);
      trouble = "";
      if (JSON.stringify(pair) === inUse) return;
      server.setSecureContext(pair);
      inUse = JSON.stringify(pair);
      log.info({ cert: files.cert }, "the web page has another certificate");
    } catch (error) {
      // The files may be in the middle of being replaced.
      const reason = reasonOf(error);
      if (reason !== trouble) {
        log.warn({ reason }, "the web page keeps its certificate: the new one cannot be used");
      }
      trouble = reason;
    }
  }, LOOK_EVERY_MS);
  return () => clearInterval(timer);
}
