/** /livez, /readyz and /metrics for whoever watches the coordinator. */
import { reasonOf } from "../../process/reason.ts";
import { createServer } from "node:http";
import { once } from "node:events";
import { EXIT, PlainError } from "../../process/exit.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Health } from "./health.ts";

export interface HttpOptions {
  host: string;
  port: number;
  health: Pick<Health, "unready">;
  metrics: Pick<Metrics, "read">;
}

export interface HttpServer {
  close(): Promise<void>;
}

export async function serveHttp(options: HttpOptions): Promise<HttpServer> {
  const { host, port, health, metrics } = options;

  async function answer(url: string): Promise<{ code: number; type: string; text: string }> {
    if (url === "/livez") return { code: 200, type: "text/plain", text: "alive\n" };
    if (url === "/readyz") {
      const reasons = health.unready();
      const text = JSON.stringify({ ready: reasons.length === 0, reasons });
      return {
        code: reasons.length === 0 ? 200 : 503,
        type: "application/json",
        text: `${text}\n`,
      };
    }
    const shown = url === "/metrics" ? await metrics.read() : undefined;
    if (shown) return { code: 200, ...shown };
    return { code: 404, type: "text/plain", text: "expected /livez, /readyz or /metrics\n" };
  }

  const server = createServer((request, response) => {
    answer(request.url ?? "").then(
      ({ code, type, text }) => response.writeHead(code, { "content-type": type }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (cause) {
    const reason = reasonOf(cause);
    throw new PlainError(`http.listen: ${host}:${port}: ${reason}`, EXIT.unavailable, { cause });
  }
  return {
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
