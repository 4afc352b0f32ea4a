/** `fleetban allow list|add|remove`. */
import { setTimeout as sleep } from "node:timers/promises";
import { overlaps, type Address } from "../../wire/address.ts";
import { ban as banSchema, isInForce, type Ban } from "../../wire/ban.ts";
import { allowed as allowedSchema } from "../../wire/settings.ts";
import { FIRST } from "../../wire/reach.ts";
import { liftBan } from "../../policy/ban-lifecycle.ts";
import { sideBySide } from "../../process/side-by-side.ts";
import { inSlices } from "../../process/slices.ts";
import type { ApiContext } from "./api-context.ts";
import { behind, firstRows, pageOf } from "./page.ts";
import { ApiError, type Endpoints } from "./api-server.ts";

type AllowEndpoints = Pick<Endpoints, "allow.list" | "allow.add" | "allow.remove">;

/** Writes that run at a time. */
const LIFTED_AT_ONCE = 64;
/** An answer must come before the CLI gives up; what is not lifted then is lifted after it. */
const ANSWER_WITHIN_MS = 5_000;

export function allowEndpoints(context: ApiContext): AllowEndpoints {
  const { settings, now } = context;
  const find = settings.allowlist.get;

  return {
    "allow.list"({ limit, after = null }) {
      const marked = settings.allowlist
        .list()
        .map((row) => ({ row, mark: `${String(row.addedAt).padStart(15, "0")}/${row.address}` }))
        .sort((a, b) => (a.mark < b.mark ? -1 : 1));
      const { rows, next } = pageOf(behind(marked, after), allowedSchema, limit);
      return { allowed: rows, total: marked.length, next };
    },

    async "allow.add"({ address, comment }, by) {
      const known = find(address);
      const made = { v: 1 as const, address, comment, addedAt: now(), by };
      const allowed = known ?? { ...made, origin: "operator" as const };
      if (!known) await settings.allow(allowed);
      const { lifted, liftedCount, pending } = await liftOverlapping(context, address, by);
      return {
        allowed,
        changed: known === undefined,
        lifted: firstRows(lifted, banSchema),
        liftedCount,
        pending,
      };
    },

    async "allow.remove"({ address }) {
      const allowed = find(address);
      if (!allowed) throw new ApiError(404, `${address}: is not on the allowlist`);
      if (allowed.origin === "config") {
        const place = "the coordinator's configuration, allowlist";
        throw new ApiError(409, `${address}: comes from ${place}; remove it there`);
      }
      await settings.disallow(address);
      return { allowed };
    },
  };
}

interface Lifting {
  /** The first bans that were lifted. */
  lifted: Ban[];
  liftedCount: number;
  /** Bans that are not lifted yet. */
  pending: number;
}

/** Lifts every ban that has an address in common with `address`; goes on after it has answered. */
async function liftOverlapping(
  { bans, now, newId, log }: ApiContext,
  address: Address,
  by: string,
): Promise<Lifting> {
  const found: Ban[] = [];
  await inSlices(bans.entries(), ({ ban }) => {
    if (isInForce(ban, now()) && overlaps(ban.address, address)) found.push(ban);
  });
  const order = { by, reason: `${address} was put on the allowlist`, immunity: 0 };
  const lifting: Lifting = { lifted: [], liftedCount: 0, pending: found.length };
  const all = sideBySide(found, LIFTED_AT_ONCE, async (ban) => {
    const written = await bans.change(ban.jail, ban.address, (present) =>
      present && isInForce(present, now())
        ? liftBan(present, order, { now: now(), id: newId() })
        : undefined,
    );
    lifting.pending -= 1;
    if (!written) return;
    lifting.liftedCount += 1;
    if (lifting.lifted.length < FIRST) lifting.lifted.push(written.ban);
  });
  const isLate = await Promise.race([all, sleep(ANSWER_WITHIN_MS, "late", { ref: false })]);
  if (isLate === "late") {
    log.info({ address, pending: lifting.pending }, "lifts bans of an allowlisted address");
    all.then(
      () => log.info({ address, lifted: lifting.liftedCount }, "lifted all bans of it"),
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        const remedy = `fleetban allow add ${address} lifts the others`;
        log.error(
          { address, reason, pending: lifting.pending, remedy },
          "not all bans were lifted",
        );
      },
    );
  }
  return { ...lifting, lifted: [...lifting.lifted] };
}
