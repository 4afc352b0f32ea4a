/** How the fleet is at one moment, as `fleetban status` and `fleetban host list` show it. */
import type { HostRow } from "../../wire/api.ts";
import type { Warning } from "../../wire/warnings.ts";

export interface Fleet {
  rows: readonly HostRow[];
  warnings: readonly Warning[];
  /** Messages that PostgreSQL does not have yet; undefined: not known. */
  lag: number | undefined;
}
