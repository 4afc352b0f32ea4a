/** The columns that ban_change and ban both have. */
import { Prisma } from "../../../prisma/client/client.ts";

/** In the order in which they are written. */
const BAN_COLUMN_NAMES = [
  ...["id", "jail", "address", "state", "starts_at", "until", "changed_at", "reason", "held"],
  ...["offence", "evidence", "by", "immune_until", "counted_until", "basis", "hosts", "spared"],
  ...["policy_version", "earlier", "revision"],
];
export const BAN_COLUMNS = Prisma.raw(BAN_COLUMN_NAMES.join(", "));
/** For a ban that is there already. */
export const REPLACED_COLUMNS = Prisma.raw(
  BAN_COLUMN_NAMES.map((name) => `${name} = excluded.${name}`).join(", "),
);

/** As a row is read; PostgreSQL's text of an inet leaves the length out where it is an address. */
const ADDRESS = "host(address) || '/' || masklen(address) AS address";
export const SHOWN_COLUMNS = Prisma.raw(
  BAN_COLUMN_NAMES.map((name) => (name === "address" ? ADDRESS : name)).join(", "),
);
