/** A browser's side of the web page, as far as HTTP shows it: the cookie, the headers, the JSON. */
export interface WebClient {
  /** What the server has set; undefined: nothing, or it is cleared. */
  cookie: string | undefined;
  post(path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<WebReply>;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Response>;
}

export interface WebReply {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

/** `site`: "http://127.0.0.1:9490/fleetban"; `reached`: where the server is, if that is elsewhere. */
export function createWebClient(site: string, reached = site): WebClient {
  const { origin } = new URL(site);
  const client: WebClient = {
    cookie: undefined,
    async post(path, body = {}, headers = {}) {
      const response = await fetch(`${reached}/api/${path}`, {
        method: "POST",
        headers: {
          ...{ origin, "content-type": "application/json", "fleetban-web": "1" },
          ...(client.cookie !== undefined && { cookie: client.cookie }),
          ...headers,
        },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
      const set = response.headers.get("set-cookie");
      if (set !== null) client.cookie = set.includes("Max-Age=0") ? undefined : set.split(";")[0];
      const text = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        body: JSON.parse(text) as Record<string, unknown>,
      };
    },
    get: (path, headers = {}) =>
      fetch(`${reached}${path}`, {
        headers: { ...(client.cookie !== undefined && { cookie: client.cookie }), ...headers },
      }),
  };
  return client;
}

/** The token of a link that `fleetban web login` has printed. */
export const tokenOf = (link: string): string => new URL(link.trim()).hash.slice(1);
