/**
 * Makes a dump fit to be sent to strangers: addresses, user and mail names become stand-ins that
 * stay the same within one dump, and free text becomes its length. Names of hosts, jails and sinks
 * stay, because nothing could be understood without them.
 */
import { isIP } from "node:net";

/** Fields with text that people or clients have written. */
const FREE_TEXT: ReadonlySet<string> = new Set(["reason", "comment", "label", "detail", "user"]);
/** Fields that name who has done something. */
const PEOPLE: ReadonlySet<string> = new Set(["by"]);
/** What coordinators write for themselves. */
const OWN_NAMES: ReadonlySet<string> = new Set(["decider", "config"]);

const IPV4 = String.raw`\d{1,3}(?:\.\d{1,3}){3}`;
const IPV6 = String.raw`[0-9a-fA-F:]{2,39}(?:${IPV4})?`;
/** A port may stand behind an IPv4 address. */
const ADDRESS = new RegExp(
  String.raw`(?<![\w.:])(?:${IPV4}(?!\w|\.\d)|${IPV6}(?![\w:]|\.\d))`,
  "g",
);
const MAIL = /[^\s@<>"'(),;:]{1,64}@[^\s@<>"'(),;]{1,255}/g;

export function createRedaction(): (value: unknown) => unknown {
  const standIns = new Map<string, string>();
  const counts = new Map<string, number>();

  function standIn(kind: string, text: string): string {
    const key = `${kind} ${text}`;
    const known = standIns.get(key);
    if (known !== undefined) return known;
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    const made = `${kind}-${count}`;
    standIns.set(key, made);
    return made;
  }

  const text = (given: string): string =>
    given
      .replace(/:\/\/[^/@\s]*@/g, "://(hidden)@")
      .replace(MAIL, (found) => standIn("name", found))
      .replace(ADDRESS, (found) =>
        isIP(found) === 0 ? found : standIn(`ipv${isIP(found)}`, found),
      );

  function field(name: string, value: unknown): unknown {
    if (typeof value !== "string") return redact(value);
    if (PEOPLE.has(name) && !OWN_NAMES.has(value)) return standIn("operator", value);
    if (FREE_TEXT.has(name) && value !== "") return `(${value.length} characters)`;
    return text(value);
  }

  function redact(value: unknown): unknown {
    if (typeof value === "string") return text(value);
    if (Array.isArray(value)) return value.map(redact);
    if (typeof value !== "object" || value === null) return value;
    // A field may be named by an address, such as the label of a metric.
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [text(name), field(name, inner)]),
    );
  }

  return redact;
}
