/** `fleetban ban import`: bans a part of a list, and says what was there. */
import type { Address } from "../../wire/address.ts";
import { isNetwork } from "../../wire/address.ts";
import { isInForce, type Ban } from "../../wire/ban.ts";
import { divideNetwork } from "../../wire/divide-network.ts";
import type { BanImportRow } from "../../wire/list-import.ts";
import { whyNeverRemote } from "../../wire/never-remote.ts";
import type { Jail } from "../../wire/settings.ts";
import { banByOperator } from "../../policy/ban-lifecycle.ts";
import { sideBySide } from "../../process/side-by-side.ts";
import { jailNamed, type ApiContext } from "./api-context.ts";
import type { Endpoints } from "./api-server.ts";
import { whyNotBannable } from "./ban-refusals.ts";
import { endOfRow, isAsLong, newOutcome, refuse } from "./import-outcome.ts";
import { createReaches } from "./reach.ts";

/** Writes that run at a time. */
const AT_ONCE = 256;
/** A network is banned in at most this many parts around addresses that must not be banned. */
const MOST_PARTS = 256;

interface Order {
  jail: Jail;
  reason: string;
  replace: boolean;
  dryRun: boolean;
  by: string;
}

export function banImportEndpoint(context: ApiContext): Pick<Endpoints, "ban.import"> {
  const reaches = createReaches(context);

  return {
    async "ban.import"({ jail: name, ...request }, by) {
      const { rows, reason, replace, dryRun, wait } = request;
      const jail = jailNamed(context, name);
      const since = performance.now();
      const outcome = newOutcome();
      const order = { jail, reason, replace, dryRun, by };
      let divided = 0;
      let revision = 0;
      await sideBySide(rows, AT_ONCE, async (row) => {
        const { free, left } = divide(context, row.address, jail.name);
        if (isOver(row, context.now())) refuse(outcome, row.address, "its end is over");
        else {
          for (const { address, why } of left) refuse(outcome, address, why);
          if (free.length === 0) return;
          if (left.length > 0) divided += 1;
          const written = await banParts(context, free, row, order);
          revision = Math.max(revision, written ?? 0);
          if (written === undefined) outcome.kept += 1;
          else outcome.added += 1;
        }
      });
      const target = Math.max(revision, request.revision ?? 0);
      const reach = dryRun
        ? null
        : await reaches.untilApplied({ banned: "many" }, [{ revision: target }], since, wait);
      return { ...outcome, divided, revision, reach };
    },
  };
}

interface Divided {
  /** The address; or what of the network may be banned. */
  free: readonly Address[];
  /** What must not be, and the reason. */
  left: { address: Address; why: string }[];
}

function divide(context: ApiContext, address: Address, jail: string): Divided {
  const why = whyNotBannable(context, address, jail);
  if (why === undefined) return { free: [address], left: [] };
  const none = (reason: string) => ({ free: [], left: [{ address, why: reason }] });
  if (!isNetwork(address) || whyNeverRemote(address) !== undefined) return none(why);
  const { machines, settings } = context;
  const find = (part: Address) => settings.allowlist.find(part, jail) ?? machines.find(part);
  const divided = divideNetwork(address, find, MOST_PARTS);
  if (!divided) return none(`${why}; and the rest has more than ${MOST_PARTS} parts`);
  const left = divided.taken.map(({ address: part }) => {
    return { address: part, why: whyNotBannable(context, part, jail) ?? why };
  });
  return { free: divided.free, left };
}

const isOver = ({ until }: BanImportRow, now: number) =>
  until !== undefined && until !== null && until <= now;

/** Returns the highest revision that was written, 0 in a dry run; undefined: all of it is there. */
async function banParts(
  { bans, ...context }: ApiContext,
  parts: readonly Address[],
  row: BanImportRow,
  order: Order,
): Promise<number | undefined> {
  const revisions: number[] = [];
  for (const address of parts) {
    const step = (present: Ban | undefined) => nextBan(context, { address, row, order, present });
    if (order.dryRun) {
      if (step(bans.get(order.jail.name, address)) !== undefined) revisions.push(0);
    } else {
      const written = await bans.change(order.jail.name, address, step);
      if (written) revisions.push(written.revision);
    }
  }
  return revisions.length === 0 ? undefined : Math.max(...revisions);
}

interface Next {
  address: Address;
  row: BanImportRow;
  order: Order;
  present: Ban | undefined;
}

function nextBan(
  { newChange }: Pick<ApiContext, "newChange">,
  { address, row, order, present }: Next,
): Ban | undefined {
  const change = newChange(order.jail, address);
  const { now } = change;
  const until = endOfRow(row, now);
  const seconds = typeof until === "number" ? (until - now) / 1000 : until;
  const reason = row.reason ?? order.reason;
  const { jail, by, replace } = order;
  const next = banByOperator(present, { jail, address, seconds, reason, by, replace }, change);
  if (!next || !present || !isInForce(present, now) || present.hosts) return next;
  const wanted = { until: next.until, isExact: row.until !== undefined };
  const isLonger = isAsLong(present.until, wanted, now);
  const isSame =
    isLonger && (!replace || isAsLong(next.until, { ...wanted, until: present.until }, now));
  return isSame ? undefined : next;
}
