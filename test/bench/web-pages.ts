/** Open pages as the server sees them: a feed each, and the questions that the first page repeats. */
import { get, type IncomingMessage } from "node:http";
import type { WebClient } from "../harness/web-client.ts";
import { createWebClient } from "../harness/web-client.ts";
import type { Figure } from "./figure.ts";

/** As the page "Now" asks: services/web/browser/pages/now-page.tsx and parts/rate-chart.tsx. */
const QUESTIONS = [
  { endpoint: "status.show", everyMs: 5_000 },
  { endpoint: "rate.show", everyMs: 10_000 },
];

export interface Pages extends AsyncDisposable {
  /** How many events came to one page. */
  figure(): Figure;
}

/** Resolves when every feed is open. */
export async function openPages(
  { cookie, site }: Pick<WebClient, "cookie"> & { site: string },
  count: number,
): Promise<Pages> {
  const pages = await Promise.all(
    Array.from({ length: count }, (_, index) => openPage(site, cookie, index / count)),
  );
  return {
    figure: () => ({
      ...{ name: "web, events to a page", unit: "events" },
      value: Math.min(...pages.map(({ events }) => events())),
    }),
    async [Symbol.asyncDispose]() {
      await Promise.all(pages.map((page) => page.close()));
    },
  };
}

/** `phase`, 0 to 1: pages do not ask at the same moment. */
async function openPage(site: string, cookie: string | undefined, phase: number) {
  const client = createWebClient(site);
  client.cookie = cookie;
  const feed = await new Promise<IncomingMessage>((resolve, reject) => {
    get(`${site}/feed`, { headers: { cookie: cookie ?? "" }, agent: false }, resolve).on(
      "error",
      reject,
    );
  });
  if (feed.statusCode !== 200) throw new Error(`GET /feed: ${feed.statusCode}`);
  let events = 0;
  feed.on("error", () => {});
  feed.on("data", (chunk: Buffer) => (events += chunk.toString().split("event: news").length - 1));
  const timers = new Set<NodeJS.Timeout>();
  const underWay = new Set<Promise<unknown>>();
  for (const { endpoint, everyMs } of QUESTIONS) {
    const ask = () => {
      const asked = client.post(endpoint).catch(() => undefined);
      underWay.add(asked);
      void asked.finally(() => underWay.delete(asked));
    };
    const first = setTimeout(() => {
      ask();
      timers.add(setInterval(ask, everyMs));
    }, phase * everyMs);
    timers.add(first);
  }
  return {
    events: () => events,
    async close() {
      for (const timer of timers) clearInterval(timer);
      feed.destroy();
      await Promise.all(underWay);
    },
  };
}
