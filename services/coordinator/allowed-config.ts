/**
 * The entries of `allowlist` in coordinator.yaml: an address, a network or a host name by itself, or
 * with what `fleetban allow add` can say of an entry, too.
 */
import * as z from "zod";
import { describeIssue } from "../config/load-config.ts";
import { parseHostName } from "../config/host-name.ts";
import { parseNetwork, prefixOf, type Address } from "../wire/address.ts";
import { EVERYBODY } from "../wire/request-fields.ts";
import { JAIL_NAME } from "../wire/subjects.ts";

type Place = { address: Address } | { name: string };

export type AllowedEntry = Place & {
  /** undefined: it is for every jail. */
  jail?: string | undefined;
  comment?: string | undefined;
  label?: string | undefined;
  /** It ends then, epoch milliseconds; undefined: never. */
  until?: number | undefined;
};

const LONGEST_TEXT = 256;
/** A day, or an instant with its zone: coordinators may be in different ones. */
const INSTANT = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d))?$/;

const place = z.string().transform((text, context): Place => {
  const address = parseNetwork(text);
  if (address !== undefined && prefixOf(address) > 0) return { address };
  const name = address === undefined ? parseHostName(text) : undefined;
  if (name !== undefined) return { name };
  const given = JSON.stringify(text);
  const message =
    address === undefined
      ? `expected an address, a network such as 192.0.2.0/24 or a host name such as mx.example.org, got ${given}`
      : EVERYBODY;
  context.addIssue({ code: "custom", message });
  return z.NEVER;
});

const text = z.string().max(LONGEST_TEXT);

const instant = z.string().transform((given, context) => {
  const at = INSTANT.test(given) ? Date.parse(given) : Number.NaN;
  if (!Number.isNaN(at)) return at;
  const expected = 'expected a day such as "2026-12-24" or an instant such as';
  const message = `${expected} "2026-12-24T12:00Z", got ${JSON.stringify(given)}`;
  context.addIssue({ code: "custom", message });
  return z.NEVER;
});

const described = z
  .strictObject({
    address: place,
    jail: z.string().regex(JAIL_NAME, "expected the name of a jail").optional(),
    comment: text.optional(),
    label: text.optional(),
    until: instant.optional(),
    for: z
      .undefined("a file does not say when this time begins, expected until with an instant")
      .optional(),
  })
  .transform(({ address, jail, comment, label, until }): AllowedEntry => ({
    ...address,
    ...(jail !== undefined && { jail }),
    ...(comment !== undefined && { comment }),
    ...(label !== undefined && { label }),
    ...(until !== undefined && { until }),
  }));

/** Each of the two spellings has its faults. A union of zod would report those of both. */
export const allowedEntry = z.unknown().transform((value, context): AllowedEntry => {
  const isDescribed = typeof value === "object" && value !== null && !Array.isArray(value);
  const schema = isDescribed ? described : place;
  const result = schema.safeParse(value, { error: describeIssue });
  if (result.success) return result.data;
  // With their codes, by which loadConfig spells them.
  for (const issue of result.error.issues) context.addIssue({ ...issue });
  return z.NEVER;
});

/** Entries for a jail that is not there spare nobody. */
export function refuseUnknownJails(
  { allowlist, jails }: { allowlist: readonly AllowedEntry[]; jails: object },
  context: z.RefinementCtx,
): void {
  for (const [index, { jail }] of allowlist.entries()) {
    if (jail === undefined || Object.hasOwn(jails, jail)) continue;
    const message = `expected one of the jails ${Object.keys(jails).join(", ")}, got ${JSON.stringify(jail)}`;
    context.addIssue({ code: "custom", path: ["allowlist", index, "jail"], message });
  }
}

export const isOver = ({ until = Infinity }: AllowedEntry, now: number): boolean => until <= now;

/** "192.0.2.7 is never banned automatically in jail edge, until 2026-12-24T12:00:00.000Z (office)". */
export function allowedSentence(entry: AllowedEntry, now: number): string {
  const { jail, comment, label } = entry;
  const whose = "name" in entry ? `an address of ${entry.name}` : entry.address;
  const end = entry.until === undefined ? undefined : new Date(entry.until).toISOString();
  const about = [comment, label === undefined ? undefined : `label ${label}`].filter(Boolean);
  const why = about.length === 0 ? "" : ` (${about.join(", ")})`;
  if (isOver(entry, now)) return `${whose} is spared no more since ${end ?? ""}${why}`;
  const where = jail === undefined ? "" : ` in jail ${jail}`;
  return `${whose} is never banned automatically${where}${end === undefined ? "" : `, until ${end}`}${why}`;
}
