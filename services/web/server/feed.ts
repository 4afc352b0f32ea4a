/**
 * The live feed as server-sent events: what has happened, to every open page.
 *
 * Invariants:
 * - News are read once for all pages that have come equally far. A page that has not, because it has
 *   just come back or was at a coordinator that is ahead, gets its own, from its own places: nothing
 *   is missing, and nothing comes twice.
 * - An idle page costs its connection. A page that does not read is cut off, and comes back.
 * - Writing to many pages is done in slices: bans do not wait for it.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import * as z from "zod";
import { inSlices } from "../../process/slices.ts";
import { api, type Reply } from "../../wire/api.ts";
import type { Session } from "./sessions.ts";
import { WebError } from "./web-error.ts";

type Watched = Reply<"watch.show">;
type WatchedHosts = Pick<Watched, "hosts" | "hostCount">;
export type News = Omit<Watched, "hosts" | "hostCount">;
export type Places = Watched["places"];

/** Where news come from. Both answer at once. */
export interface NewsSource {
  /** What came after these places; undefined: from now on. */
  news(after: Places | undefined): News;
  hosts(): WatchedHosts;
}

export interface Feed {
  /** Answers GET /feed. Throws a WebError if there are too many. */
  open(request: IncomingMessage, response: ServerResponse, session: Session): void;
  /** Ends all feeds of this session. */
  end(hash: string): void;
  stop(): void;
}

export interface FeedOptions {
  source: NewsSource;
  now: () => number;
}

interface Reader {
  response: ServerResponse;
  session: Session;
  places: Places;
}

const TICK_MS = 500;
/** Hosts are looked at this often, for there may be thousands. */
const LOOK_AT_HOSTS_EVERY_MS = 2_000;
/** Pages show how long ago a host was heard. It is the feed's heartbeat, too: also without hosts. */
const SEND_HOSTS_EVERY_MS = 6_000;
/** An event holds the last of them; counts say how many there were. */
const MOST_ROWS = 20;
const MOST_READERS = 2_000;
/** Bytes that a page has not read yet. */
const MOST_WAITING = 64 * 1024;
const PLACES = /^(\d{1,16})-(\d{1,16})$/;

export function createFeed(options: FeedOptions): Feed {
  return new OpenPages(options);
}

class OpenPages implements Feed {
  readonly #options: FeedOptions;
  readonly #readers = new Set<Reader>();
  /** How far most pages are. */
  #places: Places | undefined;
  #hosts: WatchedHosts = { hosts: [], hostCount: 0 };
  #hostsReadAt = -Infinity;
  #hostsSentAt = -Infinity;
  readonly #timer: NodeJS.Timeout;
  /** One round goes to all pages at a time. */
  #ticking: Promise<void> | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      if (this.#readers.size === 0) this.#places = undefined;
      else this.#ticking ??= this.#tick().finally(() => (this.#ticking = undefined));
    }, TICK_MS);
  }

  open(request: IncomingMessage, response: ServerResponse, session: Session): void {
    if (this.#readers.size >= MOST_READERS) throw new WebError(503, "too many pages are open");
    const news = this.#options.source.news(placesOf(request.headers["last-event-id"]));
    if (this.#readers.size === 0) this.#lookAtHosts();
    const reader: Reader = { response, session, places: news.places };
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no", // nginx would keep events back
    });
    response.write(`retry: 2000\n\n${eventOf(news, this.#hosts)}`);
    response.on("close", () => this.#readers.delete(reader));
    this.#readers.add(reader);
  }

  end(hash: string): void {
    for (const reader of this.#readers) if (reader.session.hash === hash) this.#finish(reader);
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const { response } of this.#readers) response.destroy();
  }

  async #tick(): Promise<void> {
    const { source, now } = this.#options;
    const before = this.#places;
    const news = source.news(before);
    this.#places = news.places;
    const areHostsDue = this.#lookAtHosts();
    const textOf = (what: News) => (areHostsDue || hasNews(what) ? eventOf(what, this.#hosts) : "");
    const shared = textOf(news);
    await inSlices(this.#readers, (reader) => {
      if (reader.session.expiresAt <= now()) {
        this.#finish(reader);
        return;
      }
      const isAsFar = isSamePlaces(reader.places, before);
      const own = isAsFar ? news : source.news(reader.places);
      reader.places = own.places;
      const text = isAsFar ? shared : textOf(own);
      if (text !== "") send(reader, text);
    });
  }

  /** Returns whether they are to be sent. */
  #lookAtHosts(): boolean {
    const { source, now } = this.#options;
    if (now() - this.#hostsReadAt < LOOK_AT_HOSTS_EVERY_MS) return false;
    const before = stateOf(this.#hosts);
    this.#hosts = source.hosts();
    this.#hostsReadAt = now();
    const areOther = stateOf(this.#hosts) !== before;
    const isDue = areOther || now() - this.#hostsSentAt >= SEND_HOSTS_EVERY_MS;
    if (isDue) this.#hostsSentAt = now();
    return isDue;
  }

  #finish(reader: Reader): void {
    this.#readers.delete(reader);
    // A proxy is asked again who it is; other sessions are over.
    const isOver = reader.session.hash !== undefined;
    reader.response.end(isOver ? "event: ended\ndata: {}\n\n" : undefined);
  }
}

function send({ response }: Reader, text: string): void {
  if (response.writableLength > MOST_WAITING) response.destroy();
  else response.write(text);
}

const hasNews = ({ attempts, banCount }: News) => attempts > 0 || banCount > 0;

const isSamePlaces = (a: Places, b: Places | undefined) =>
  a.failures === b?.failures && a.bans === b.bans;

/** What pages show of hosts, but for how long ago they were heard. */
const stateOf = ({ hosts, hostCount }: WatchedHosts) =>
  JSON.stringify([
    hostCount,
    hosts.map(({ host, isUp, lagBytes, behind }) => [host, isUp, lagBytes, behind]),
  ]);

function eventOf(news: News, hosts: WatchedHosts): string {
  const event: Watched = {
    ...news,
    ...hosts,
    failures: news.failures.slice(-MOST_ROWS),
    bans: news.bans.slice(-MOST_ROWS),
  };
  const data = JSON.stringify(z.encode(api["watch.show"].reply, event));
  return `event: news\nid: ${event.places.failures}-${event.places.bans}\ndata: ${data}\n\n`;
}

function placesOf(id: string | string[] | undefined): Places | undefined {
  const [, failures, bans] = PLACES.exec(String(id)) ?? [];
  if (failures === undefined || bans === undefined) return undefined;
  const places = { failures: Number(failures), bans: Number(bans) };
  return Object.values(places).every(Number.isSafeInteger) ? places : undefined;
}
