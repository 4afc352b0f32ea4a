/** `fleetban ban remove --caused-by ...`, `ban release`, `ban discard`: many bans by what they share. */
import { awaitsRelease, ban as banSchema, isInForce, type Ban } from "../../wire/ban.ts";
import type { BanSelection, ManyBansReply } from "../../wire/ban-selection.ts";
import { causeOf, isCausedBy } from "../../policy/ban-cause.ts";
import { discardBan, heldBecauseOf, isHeldBecauseOf, releaseBan } from "../../policy/held-ban.ts";
import { liftBan } from "../../policy/ban-lifecycle.ts";
import { leaveOrder } from "../../policy/operator-order.ts";
import type { Step } from "../buckets/ban-store.ts";
import { jailNamed, type ApiContext } from "./api-context.ts";
import type { Endpoints } from "./api-server.ts";
import { changeMany } from "./change-many.ts";
import { firstRows } from "./page.ts";
import { selectBans, type Meaning, type Wanted } from "./select-bans.ts";

type ManyBansEndpoints = Pick<Endpoints, "ban.lift" | "ban.release" | "ban.discard">;

/** What a command does to each ban that it is for. */
interface Order extends Meaning {
  work: string;
  step: (ban: Ban) => Step;
}

export function manyBansEndpoints(context: ApiContext): ManyBansEndpoints {
  const { settings, machines, now, newId } = context;
  const none = () => false;
  const ofHeld = {
    isRight: awaitsRelease,
    causeOf: heldBecauseOf,
    isCausedBy: isHeldBecauseOf,
  };

  return {
    "ban.lift"(request, by) {
      const { reason, immunity } = request;
      const seconds = (jail: string) =>
        immunity ?? context.jails().find(({ name }) => name === jail)?.findtime ?? 0;
      const leave = isOfCause(request.selection)
        ? (ban: Ban) => leaveOrder(ban, change())
        : undefined;
      return run(context, request, {
        work: "lifts bans",
        leave,
        isRight: isInForce,
        isSpared: none,
        ...{ causeOf, isCausedBy },
        step: (ban) => (present) =>
          present && isInForce(present, now()) && !isNewer(present, request.asOf)
            ? (leave?.(present) ??
              liftBan(present, { by, reason, immunity: seconds(ban.jail) }, change()))
            : undefined,
      });
    },

    "ban.release"(request, by) {
      return run(context, request, {
        work: "releases held bans",
        ...ofHeld,
        isSpared: ({ address, jail }) =>
          (settings.allowlist.find(address, jail) ?? machines.find(address)) !== undefined,
        step: () => (present) => releaseBan(present, by, change()),
      });
    },

    "ban.discard"(request, by) {
      const { reason } = request;
      return run(context, request, {
        work: "discards held bans",
        ...ofHeld,
        isSpared: none,
        step: () => (present) => discardBan(present, { by, reason }, change()),
      });
    },
  };

  function change() {
    return { now: now(), id: newId() };
  }
}

async function run(
  context: ApiContext,
  { dryRun, ...wanted }: Wanted & { dryRun: boolean },
  order: Order,
): Promise<ManyBansReply> {
  const { selection } = wanted;
  if (selection.jail !== undefined) jailNamed(context, selection.jail);
  const asOf = context.now();
  const { bans, counts, spread } = await selectBans(context, wanted, order, asOf);
  const remedy = "give the same command again";
  const { changed, pending } = dryRun
    ? { changed: 0, pending: 0 }
    : await changeMany(context, bans, order.step, {
        work: order.work,
        facts: { selection },
        remedy,
      });
  return {
    ...{ asOf, matched: bans.length, changed, pending, ...counts, ...spread },
    bans: firstRows(bans, banSchema, { bytes: 500_000 }),
  };
}

/** Does the selection mean what was decided, and not what operators have commanded? */
const isOfCause = ({ causedBy, policyVersion, by }: BanSelection): boolean =>
  by === undefined ? causedBy !== undefined || policyVersion !== undefined : by === "decider";

const isNewer = ({ changedAt }: Ban, asOf: number | undefined) =>
  asOf !== undefined && changedAt > asOf;
