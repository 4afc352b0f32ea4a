/**
 * Requests that bring many addresses at once, a part of a list in each, and the replies to them. A
 * list may be sent again as a whole: what is there already is counted and left as it is.
 */
import * as z from "zod";
import { ban, type Ban } from "./ban.ts";
import { address } from "./codec.ts";
import { FIRST, reach } from "./reach.ts";
import {
  allowableField,
  bannableField,
  flagField,
  instantField,
  jailField,
  MAX_ROWS,
  revisionField,
  secondsField,
  textField,
  waitField,
} from "./request-fields.ts";

const rowsOf = <T extends z.ZodType>(row: T) =>
  z.array(row, "expected a list of entries").max(MAX_ROWS, `expected at most ${MAX_ROWS} entries`);

/** An entry that is no object at all. */
const expectedRow = {
  error: ({ code }: { code?: string }) =>
    code === "invalid_type" ? "expected an entry with an address" : undefined,
};

/** When an entry ends: at most one of the two is given. */
const ending = {
  /** How long from now on; null: for ever. */
  seconds: secondsField.nullable().optional(),
  /** The very instant; null: never. */
  until: instantField.nullable().optional(),
};

export const banImportRow = z.strictObject(
  {
    address: bannableField,
    /** Neither: the jail's bantime. */
    ...ending,
    /** undefined: the reason of the request. */
    reason: textField.optional(),
  },
  expectedRow,
);
export type BanImportRow = z.infer<typeof banImportRow>;

export const banImportRequest = {
  jail: jailField,
  rows: rowsOf(banImportRow),
  reason: textField,
  /** true: a shorter time replaces a longer one. */
  replace: flagField,
  /** true: only says what would be done. */
  dryRun: flagField,
  /**
   * Milliseconds to wait until all bans up to the highest revision of the replies before are in
   * force on every live host, and these, too; null: not at all.
   */
  wait: waitField.nullable(),
  revision: revisionField.optional(),
} as const;

export const allowImportRow = z.strictObject(
  {
    address: allowableField,
    /** undefined: the entry is for every jail. */
    jail: jailField.optional(),
    /** Neither: the entry does not end. */
    ...ending,
    comment: textField.optional(),
    label: textField.optional(),
  },
  expectedRow,
);
export type AllowImportRow = z.infer<typeof allowImportRow>;

export const allowImportRequest = {
  rows: rowsOf(allowImportRow),
  /** Of entries that have none of their own. */
  comment: textField,
  dryRun: flagField,
} as const;

/** A ban as a backup has it; instants as on the wire. */
const restoredBan = z.codec(z.unknown(), z.custom<Ban>(), {
  decode(value, context) {
    const result = ban.safeParse(value);
    if (result.success) return result.data;
    const message = "expected bans as fleetban backup writes them";
    context.issues.push({ code: "custom", message, input: value });
    return z.NEVER;
  },
  encode: (value) => z.encode(ban, value),
});

export const banRestoreRequest = {
  bans: rowsOf(restoredBan),
  dryRun: flagField,
} as const;

const count = z.number().int().nonnegative();

/** What has become of the entries; in a dry run: what would. */
const outcome = {
  /** Entries that are new, or end at another time now. */
  added: count,
  /** Entries that were there already, for as long or nearly as long. */
  kept: count,
  /** The first that were left out, with the reason, and how many there are. */
  refused: z.array(z.object({ address, reason: z.string().max(600) })).max(FIRST),
  refusedCount: count,
};

export const banRestoreReply = z.object(outcome);
export type BanRestoreReply = z.infer<typeof banRestoreReply>;

export const banImportReply = z.object({
  ...outcome,
  /** Networks of the list that are banned in parts, around addresses that must not be. */
  divided: count,
  /** The highest revision of the bans bucket that was written; 0: nothing was. */
  revision: count,
  reach: reach.nullable(),
});
export type BanImportReply = z.infer<typeof banImportReply>;

export const allowImportReply = z.object({
  ...outcome,
  /** Bans that the entries have lifted when this was answered, and those still to be lifted. */
  liftedCount: count,
  pending: count,
});
export type AllowImportReply = z.infer<typeof allowImportReply>;
