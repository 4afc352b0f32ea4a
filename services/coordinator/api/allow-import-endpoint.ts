/** `fleetban allow import`: puts a part of a list on the allowlist, and says what was there. */
import type { AllowImportRow } from "../../wire/list-import.ts";
import type { Allowed } from "../../wire/settings.ts";
import type { AllowedPlace } from "../../policy/allowlist.ts";
import { sideBySide } from "../../process/side-by-side.ts";
import { liftCovered, nextEntry } from "./allow-endpoints.ts";
import { jailNamed, type ApiContext } from "./api-context.ts";
import type { Endpoints } from "./api-server.ts";
import { endOfRow, isAsLong, newOutcome, refuse } from "./import-outcome.ts";

/** Writes that run at a time. */
const AT_ONCE = 64;

export function allowImportEndpoint(context: ApiContext): Pick<Endpoints, "allow.import"> {
  const { settings, now } = context;
  const { get } = settings.allowlist;

  return {
    async "allow.import"({ rows, comment, dryRun }, by) {
      const outcome = newOutcome();
      for (const { jail } of rows) if (jail !== undefined) jailNamed(context, jail);
      const written: AllowedPlace[] = [];
      await sideBySide(rows, AT_ONCE, async (row) => {
        const { address, jail, label } = row;
        const place = { address, ...(jail !== undefined && { jail }) };
        const until = endOfRow(row, now()) ?? undefined;
        if (until !== undefined && until <= now()) {
          refuse(outcome, address, "its end is over");
          return;
        }
        const wanted = { place, comment: row.comment ?? comment, label, until, by, now: now() };
        const known = get(place);
        const entry = nextEntry(known, wanted);
        if (!entry.isNew || isThere(known, row, now())) {
          outcome.kept += 1;
          return;
        }
        outcome.added += 1;
        if (dryRun) return;
        await settings.allow(entry.allowed);
        written.push(place);
      });
      if (written.length === 0) return { ...outcome, liftedCount: 0, pending: 0 };
      const { changed, pending } = await liftCovered(context, written, by);
      return { ...outcome, liftedCount: changed, pending };
    },
  };
}

/** Does the allowlist have the entry for as long as the list wants it, with the same label? */
function isThere(known: Allowed | undefined, row: AllowImportRow, now: number): boolean {
  if (!known || (row.label !== undefined && row.label !== known.label)) return false;
  const until = endOfRow(row, now) ?? null;
  return isAsLong(known.until ?? null, { until, isExact: row.until !== undefined }, now);
}
