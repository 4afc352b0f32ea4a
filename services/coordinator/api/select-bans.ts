/** Which bans a command for many of them means, and how they are spread: by jail, host and maker. */
import { isHeld, type Ban } from "../../wire/ban.ts";
import type { BanSelection, ManyBansReply } from "../../wire/ban-selection.ts";
import { isCausedAloneBy } from "../../policy/ban-cause.ts";
import { inSlices } from "../../process/slices.ts";
import type { ApiContext } from "./api-context.ts";
import { createBanFilter } from "./ban-filter.ts";

export interface Wanted {
  selection: BanSelection;
  /** Bans that have changed since then are not meant, epoch milliseconds; undefined: all are. */
  asOf?: number | undefined;
}

/** Which of the bans that match a command is for. */
export interface Meaning {
  /** Which bans the command is for, whatever is selected. */
  isRight: (ban: Ban, now: number) => boolean;
  /** Is the ban left as it is? */
  isSpared: (ban: Ban) => boolean;
  /** What is left of the ban where an operator's own word stays; undefined: nothing. */
  leave?: ((ban: Ban) => Ban | undefined) | undefined;
  /** At whose door is the ban laid, or that it is held? undefined: at nobody's. */
  causeOf: (ban: Ban) => string | undefined;
  isCausedBy: (ban: Ban, host: string) => boolean;
}

type ShownSpread = Pick<ManyBansReply, "byJail" | "byHost" | "byMaker" | "byPolicyVersion">;

export interface SelectedBans {
  bans: readonly Ban[];
  /** Matching bans that are left as they are, that an operator's own word stays of, and that are held. */
  counts: Pick<ManyBansReply, "spared" | "ordered" | "held">;
  spread: ShownSpread;
}

export async function selectBans(
  { bans }: Pick<ApiContext, "bans">,
  wanted: Wanted,
  meaning: Meaning,
  now: number,
): Promise<SelectedBans> {
  const found: Ban[] = [];
  const spread = new Spread();
  const counts = { spared: 0, ordered: 0, held: 0 };
  const isSelected = createSelection(wanted.selection, meaning, now);
  await inSlices(bans.entriesAt(wanted.selection), ({ ban }) => {
    if (ban.changedAt > (wanted.asOf ?? now)) return;
    if (!isSelected(ban)) return;
    if (!meaning.isRight(ban, now)) {
      if (isHeld(ban, now)) counts.held += 1;
    } else if (meaning.isSpared(ban)) {
      counts.spared += 1;
    } else {
      found.push(ban);
      spread.add(ban, meaning.causeOf(ban));
      if (meaning.leave?.(ban)) counts.ordered += 1;
    }
  });
  return { bans: found, counts, spread: spread.show() };
}

function createSelection(
  { jail, causedBy, alone, ...filter }: BanSelection,
  meaning: Meaning,
  now: number,
): (ban: Ban) => boolean {
  const passes = createBanFilter(filter, now);
  return (ban) =>
    (jail === undefined || ban.jail === jail) &&
    passes(ban) &&
    (causedBy === undefined ||
      (alone === true ? isCausedAloneBy(ban, causedBy) : meaning.isCausedBy(ban, causedBy)));
}

/** How many of the bans share a jail, a host, a maker and a version of the policy. */
class Spread {
  readonly #jails = new Map<string, number>();
  readonly #hosts = new Map<string, number>();
  readonly #makers = new Map<string, number>();
  readonly #policyVersions = new Map<string, number>();

  add({ jail, by, policyVersion }: Ban, cause: string | undefined): void {
    add(this.#jails, jail);
    add(this.#hosts, cause ?? "no host");
    add(this.#makers, by);
    if (policyVersion !== undefined) add(this.#policyVersions, policyVersion);
  }

  show(): ShownSpread {
    return {
      byJail: largest(this.#jails),
      byHost: largest(this.#hosts),
      byMaker: largest(this.#makers),
      byPolicyVersion: largest(this.#policyVersions),
    };
  }
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
