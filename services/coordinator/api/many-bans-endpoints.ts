/** `fleetban ban remove --caused-by ...`, `ban release`, `ban discard`: many bans by what they share. */
import { awaitsRelease, ban as banSchema, isHeld, isInForce, type Ban } from "../../wire/ban.ts";
import type { BanSelection, ManyBansReply } from "../../wire/ban-selection.ts";
import { causeOf, isCausedAloneBy, isCausedBy } from "../../policy/ban-cause.ts";
import { discardBan, heldBecauseOf, isHeldBecauseOf, releaseBan } from "../../policy/held-ban.ts";
import { liftBan } from "../../policy/ban-lifecycle.ts";
import { leaveOrder } from "../../policy/operator-order.ts";
import { inSlices } from "../../process/slices.ts";
import type { Step } from "../buckets/ban-store.ts";
import { jailNamed, type ApiContext } from "./api-context.ts";
import type { Endpoints } from "./api-server.ts";
import { passesFilter } from "./ban-filter.ts";
import { changeMany } from "./change-many.ts";
import { firstRows } from "./page.ts";

type ManyBansEndpoints = Pick<Endpoints, "ban.lift" | "ban.release" | "ban.discard">;

interface Wanted {
  selection: BanSelection;
  dryRun: boolean;
  asOf?: number | undefined;
}

interface Order {
  work: string;
  /** Which bans the command is for, whatever is selected. */
  isRight: (ban: Ban, now: number) => boolean;
  /** Is the ban left as it is? */
  isSpared: (ban: Ban) => boolean;
  /** What is left of the ban where an operator's own word stays; undefined: nothing. */
  leave?: ((ban: Ban) => Ban | undefined) | undefined;
  step: (ban: Ban) => Step;
  /** At whose door is the ban laid, or that it is held? undefined: at nobody's. */
  causeOf: (ban: Ban) => string | undefined;
  isCausedBy: (ban: Ban, host: string) => boolean;
}

export function manyBansEndpoints(context: ApiContext): ManyBansEndpoints {
  const { bans, settings, machines, now, newId } = context;

  async function run({ selection, dryRun, asOf }: Wanted, order: Order): Promise<ManyBansReply> {
    if (selection.jail !== undefined) jailNamed(context, selection.jail);
    const lookedAt = now();
    const found: Ban[] = [];
    let spared = 0;
    let ordered = 0;
    let held = 0;
    const groups = {
      jail: new Map<string, number>(),
      host: new Map<string, number>(),
      maker: new Map<string, number>(),
      policyVersion: new Map<string, number>(),
    };
    await inSlices(bans.entries(), ({ ban }) => {
      if (ban.changedAt > (asOf ?? lookedAt)) return;
      if (!matches(ban, selection, order, lookedAt)) return;
      if (!order.isRight(ban, lookedAt)) {
        if (isHeld(ban, lookedAt)) held += 1;
        return;
      }
      if (order.isSpared(ban)) {
        spared += 1;
        return;
      }
      found.push(ban);
      if (order.leave?.(ban)) ordered += 1;
      add(groups.jail, ban.jail);
      add(groups.host, order.causeOf(ban) ?? "no host");
      add(groups.maker, ban.by);
      if (ban.policyVersion !== undefined) add(groups.policyVersion, ban.policyVersion);
    });
    const facts = { selection };
    const remedy = "give the same command again";
    const { changed, pending } = dryRun
      ? { changed: 0, pending: 0 }
      : await changeMany(context, found, order.step, { work: order.work, facts, remedy });
    return {
      asOf: lookedAt,
      matched: found.length,
      ...{ changed, pending, spared, ordered, held },
      byJail: largest(groups.jail),
      byHost: largest(groups.host),
      byMaker: largest(groups.maker),
      byPolicyVersion: largest(groups.policyVersion),
      bans: firstRows(found, banSchema, { bytes: 500_000 }),
    };
  }

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
      return run(request, {
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
      return run(request, {
        work: "releases held bans",
        ...ofHeld,
        isSpared: ({ address, jail }) =>
          (settings.allowlist.find(address, jail) ?? machines.find(address)) !== undefined,
        step: () => (present) => releaseBan(present, by, change()),
      });
    },

    "ban.discard"(request, by) {
      const { reason } = request;
      return run(request, {
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

/** Does the selection mean what was decided, and not what operators have commanded? */
const isOfCause = ({ causedBy, policyVersion, by }: BanSelection): boolean =>
  by === undefined ? causedBy !== undefined || policyVersion !== undefined : by === "decider";

const isNewer = ({ changedAt }: Ban, asOf: number | undefined) =>
  asOf !== undefined && changedAt > asOf;

function matches(
  ban: Ban,
  { jail, causedBy, alone, ...filter }: BanSelection,
  order: Order,
  now: number,
): boolean {
  return (
    (jail === undefined || ban.jail === jail) &&
    passesFilter(ban, filter, now) &&
    (causedBy === undefined ||
      (alone === true ? isCausedAloneBy(ban, causedBy) : order.isCausedBy(ban, causedBy)))
  );
}

function add(groups: Map<string, number>, name: string): void {
  groups.set(name, (groups.get(name) ?? 0) + 1);
}

const SHOWN = 20;

function largest(groups: ReadonlyMap<string, number>): ManyBansReply["byJail"] {
  return [...groups]
    .sort(([, a], [, b]) => b - a)
    .slice(0, SHOWN)
    .map(([name, bans]) => ({ name, bans }));
}
