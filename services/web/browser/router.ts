/**
 * Pages and their addresses, pure. Filters stand in the query, so that a link shows what its sender
 * saw. User names stand there, too: browsers resolve a user ".." in a path, also where it is encoded.
 */

export const PAGE_NAMES = [
  "now",
  "bans",
  "address",
  "failures",
  "account",
  "hosts",
  "host",
  "allowlist",
  "audit",
  "policy",
  "login",
] as const;
export type PageName = (typeof PAGE_NAMES)[number];

/** Filters by name. */
export type Filters = Readonly<Record<string, string>>;

export interface Route {
  page: PageName;
  /** The address or the host that the page is about; "" where there is none. */
  subject: string;
  filters: Filters;
}

const OF_SUBJECT: ReadonlySet<PageName> = new Set(["address", "host"]);

/** The route of a path below the base path; undefined: there is no such page. */
export function parseRoute(path: string, query: string): Route | undefined {
  const [, name = "", ...rest] = path.split("/");
  const filters: Filters = Object.fromEntries(new URLSearchParams(query));
  const page = name === "" ? "now" : PAGE_NAMES.find((known) => known === name);
  if (page === undefined || (name !== "" && page === "now")) return undefined;
  // A network has a slash, which a person who types an address does not encode.
  const subject = decodeSubject(rest.join("/"));
  if (subject === undefined || (subject !== "" && !OF_SUBJECT.has(page))) return undefined;
  return { page, subject, filters };
}

function decodeSubject(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

/** The path below the base path, "/bans?jail=dovecot". Filters that are empty are left out. */
export function pathOf(page: PageName, subject = "", filters: Filters = {}): string {
  const path = page === "now" ? "/" : `/${page}`;
  const whole = subject === "" ? path : `${path}/${encodeURIComponent(subject)}`;
  const query = new URLSearchParams(Object.entries(filters).filter(([, value]) => value !== ""));
  return query.size === 0 ? whole : `${whole}?${query.toString()}`;
}

/** The base path, "" or "/fleetban", by the address of the page's own script. */
export function basePathOf(scriptPath: string): string {
  const end = scriptPath.lastIndexOf("/assets/");
  return end < 0 ? "" : scriptPath.slice(0, end);
}
