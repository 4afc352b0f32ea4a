/**
 * One HTTP request to a receiver: TLS is always verified, no redirect is followed, and everything
 * together takes at most five seconds, also with a receiver that answers byte by byte.
 */
import { Agent as HttpAgent, request as requestHttp } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import { reasonOf } from "../../../process/reason.ts";
import { readVersion } from "../../../process/version.ts";
import { plainLine } from "../message/plain-text.ts";
import type { Outcome } from "../sink.ts";

export interface Post {
  url: string;
  method?: "POST" | "PUT";
  headers: Readonly<Record<string, string>>;
  body: string;
  /** The authority that signed the receiver's certificate, where the system does not know it. */
  ca: string | undefined;
}

const WITHIN_MS = 5_000;
/** Receivers close a connection that is idle for some seconds. */
const IDLE_MS = 2_000;
const KEPT = { keepAlive: true, maxSockets: 2, timeout: IDLE_MS };
const agents = { "http:": new HttpAgent(KEPT), "https:": new HttpsAgent(KEPT) };
/** As much of an answer as a reason needs. */
const MOST_READ = 2_048;
const GONE = 410;
/** The receiver understands the message and will never take it. */
const REFUSED: ReadonlySet<number> = new Set([400, 413, 415, 422]);

/** What the receiver's answer means. Never throws. */
export async function post(options: Post): Promise<Outcome> {
  try {
    return outcomeOf(await exchange(options).catch(onceMore(options)));
  } catch (error) {
    return { type: "retry", reason: plainLine(reasonOf(error), 400) };
  }
}

/** The receiver has closed a kept connection just when it was used again: that is no failure. */
const onceMore = (options: Post) => (error: unknown) => {
  if (error instanceof ReusedConnectionError) return exchange(options);
  throw error;
};

class ReusedConnectionError extends Error {}

interface Answer {
  status: number;
  retryAfter: string | undefined;
  text: string;
}

function exchange({ url, method = "POST", headers, body, ca }: Post): Promise<Answer> {
  const isPlain = url.startsWith("http:");
  const request = isPlain ? requestHttp : requestHttps;
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(WITHIN_MS);
    const sent = request(url, {
      ...{ method, signal, agent: agents[isPlain ? "http:" : "https:"] },
      ...(ca !== undefined && { ca }),
      headers: {
        ...headers,
        "content-length": Buffer.byteLength(body),
        "user-agent": `fleetban/${readVersion()}`,
      },
    });
    sent.on("error", (cause: NodeJS.ErrnoException) => {
      const isClosed = sent.reusedSocket && cause.code === "ECONNRESET";
      if (isClosed) reject(new ReusedConnectionError("connection closed", { cause }));
      else reject(signal.aborted ? new Error(`no answer within ${WITHIN_MS / 1000} s`) : cause);
    });
    sent.once("response", (response) => {
      let text = "";
      const status = response.statusCode ?? 0;
      const retryAfter = response.headers["retry-after"];
      const answer = () => {
        resolve({ status, retryAfter, text });
      };
      response.on("data", (chunk: Buffer) => {
        text += chunk.toString("latin1").slice(0, MOST_READ - text.length);
        if (text.length < MOST_READ) return;
        answer();
        // Whatever else it sends is of no interest.
        sent.destroy();
      });
      response.once("end", answer);
      response.once("error", answer);
    });
    sent.end(body);
  });
}

function outcomeOf({ status, retryAfter, text }: Answer): Outcome {
  if (status >= 200 && status < 300) return { type: "sent" };
  const said = plainLine(text, 200);
  const reason = `the receiver answers ${status}${said === "" ? "" : `: ${said}`}`;
  if (status === GONE) return { type: "gone", reason };
  if (status >= 300 && status < 400) {
    return { type: "retry", reason: `${reason}; redirects are not followed: correct the url` };
  }
  if (REFUSED.has(status)) return { type: "refused", reason };
  const afterMs = parseRetryAfter(retryAfter, Date.now());
  return { type: "retry", reason, ...(afterMs !== undefined && { afterMs }) };
}

/** Seconds, or a date (RFC 9110, 10.2.3). undefined: it says neither. */
export function parseRetryAfter(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
