/** Brings a list here: from a file, from stdin, or from an https URL. */
import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { EXIT, PlainError } from "../../process/exit.ts";
import { explainFileError } from "../../process/file-error.ts";
import { readVersion } from "../../process/version.ts";
import { UsageError } from "../arguments.ts";
import { quote } from "../visible.ts";

/** A list of ten million addresses has no more. */
export const MOST_BYTES = 200_000_000;
const FETCHED_WITHIN_MS = 60_000;
const MOST_REDIRECTS = 5;

export interface ListSource {
  where: string;
  /** A file, "-" for stdin, or an https URL. */
  source: string;
  stdin: Readable;
}

/** Throws a PlainError that says why there is no list. */
export async function readListSource({ where, source, stdin }: ListSource): Promise<Buffer> {
  if (source === "-") return gather(stdin, `${where}: stdin`);
  if (/^[a-z]+:\/\//i.test(source)) return fetchList(where, source);
  let file;
  try {
    file = await open(source);
    return await gather(file.createReadStream(), `${where}: ${quote(source)}`);
  } catch (cause) {
    if (cause instanceof PlainError) throw cause;
    const reason = `cannot be read: ${explainFileError(cause)}`;
    throw new PlainError(`${where}: ${quote(source)}: ${reason}`, EXIT.noInput, { cause });
  } finally {
    await file?.close();
  }
}

/** Certificates are verified, and nothing is sent anywhere but over https. */
async function fetchList(where: string, source: string): Promise<Buffer> {
  let url = httpsUrl(where, source);
  const signal = AbortSignal.timeout(FETCHED_WITHIN_MS);
  const fail = (reason: string, cause?: unknown) => {
    const text = `${where}: ${quote(source)}: cannot be fetched: ${reason}`;
    return new PlainError(text, EXIT.noInput, { cause });
  };
  if (process.env["NODE_TLS_REJECT_UNAUTHORIZED"] === "0") {
    throw fail("NODE_TLS_REJECT_UNAUTHORIZED=0 switches the check of certificates off; unset it");
  }
  try {
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects += 1) {
      const headers = { "user-agent": `fleetban/${readVersion()}` };
      const response = await fetch(url, { redirect: "manual", signal, headers });
      const target = response.headers.get("location");
      if (response.status >= 300 && response.status < 400 && target !== null) {
        await response.body?.cancel();
        url = httpsUrl(where, new URL(target, url).href, "it redirects there, ");
        continue;
      }
      if (!response.ok) throw fail(`the server answers ${response.status}`);
      return await gather(response.body ?? [], `${where}: ${quote(source)}`);
    }
  } catch (cause) {
    if (cause instanceof PlainError) throw cause;
    throw fail(
      signal.aborted ? `it takes longer than ${FETCHED_WITHIN_MS / 1000} s` : reasonOf(cause),
      cause,
    );
  }
  throw fail(`more than ${MOST_REDIRECTS} redirects`);
}

function httpsUrl(where: string, text: string, how = ""): URL {
  if (URL.canParse(text) && new URL(text).protocol === "https:") return new URL(text);
  throw new UsageError(
    `${where}: ${quote(text)}: ${how}expected an https URL, a file, or - for stdin`,
  );
}

async function gather(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  what: string,
): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) {
      const text = `${what}: is longer than ${MOST_BYTES / 1e6} MB; split it`;
      throw new PlainError(text, EXIT.noInput);
    }
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

/** fetch itself says "fetch failed"; its cause knows why. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message : String(cause);
}
