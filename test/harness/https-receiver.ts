/** A real HTTPS server on loopback that keeps the requests that it gets. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { createOwnAuthority } from "./openssl.ts";

export interface ReceivedRequest {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  /** When it came, epoch milliseconds. */
  at: number;
}

export type Respond = (response: ServerResponse, request: ReceivedRequest) => void;

export interface HttpsReceiver extends AsyncDisposable {
  url: string;
  /** PEM file of the authority that signed its certificate. */
  ca: string;
  requests: ReceivedRequest[];
  /** How it answers from now on; undefined: 204. */
  respond: (how: Respond | undefined) => void;
}

/** `names` are those of its certificate. */
export async function startHttpsReceiver(
  folder: string,
  names = "IP:127.0.0.1",
): Promise<HttpsReceiver> {
  const authority = await createOwnAuthority(folder, `receiver-${names.replace(/\W/g, "-")}`);
  const { certificate, key } = await authority.sign(names, 2);
  const requests: ReceivedRequest[] = [];
  const usual: Respond = (response) => response.writeHead(204).end();
  let respond = usual;
  const tls = { cert: await readFile(certificate), key: await readFile(key) };
  const server = createServer(tls, (incoming, response) => {
    void text(incoming)
      .then((body) => {
        const { method = "", url: path = "", headers } = incoming;
        const request = { method, path, headers, body, at: Date.now() };
        requests.push(request);
        respond(response, request);
      })
      .catch(() => {}); // the sender was killed
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    ca: authority.file,
    requests,
    respond: (how) => (respond = how ?? usual),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
