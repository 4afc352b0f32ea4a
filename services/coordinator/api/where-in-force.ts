/** On which hosts the bans of an address are in force, and which hosts do not say. */
import * as z from "zod";
import type { Address } from "../../wire/address.ts";
import { address as addressSchema } from "../../wire/codec.ts";
import type { Reply } from "../../wire/api.ts";
import { isInForce } from "../../wire/ban.ts";
import { scopeOf } from "../../wire/ban-scope.ts";
import { isDown } from "../../wire/host-state.ts";
import {
  FIRST,
  standing as standingSchema,
  type SilentHost,
  type Standing,
} from "../../wire/reach.ts";
import type { BanEntry } from "../buckets/ban-store.ts";
import { compareHosts } from "../hosts/host-order.ts";
import type { ApiContext } from "./api-context.ts";
import { firstRows } from "./page.ts";
import { createReaches, hasRevision } from "./reach.ts";

/** A host that does not report, and when it was heard last. */
type Unheard = Omit<SilentHost, "hadBan">;
type Context = Pick<ApiContext, "bans" | "fleet" | "hosts" | "jails" | "now">;

/** At most this many bytes of a reply say of each ban where it is in force. */
const LOCAL_BYTES = 60_000;
const localRow = z.object({ jail: z.string(), address: addressSchema, standing: standingSchema });

export async function findSilentHosts({ fleet, hosts }: Context): Promise<Unheard[]> {
  const { rows } = await fleet.listHosts();
  const unheard = [...rows].filter(([name]) => {
    const host = hosts.get(name);
    return host === undefined || !hosts.isUp(host);
  });
  return unheard
    .map(([, describe]) => describe())
    .filter(isDown)
    .map(({ host, lastSeenAt }) => ({ host, lastSeenAt }))
    .sort((a, b) => compareHosts(a.host, b.host));
}

/** Awaits nothing, so that all numbers of the answer are of one moment. */
export function whereInForce(
  context: Context,
  asked: { address: Address; entries: readonly BanEntry[]; silent: readonly Unheard[] },
): Pick<Reply<"ban.show">, "standing" | "local"> {
  const { jails, now } = context;
  const { address, entries, silent } = asked;
  const inForce = entries.filter(({ ban }) => isInForce(ban, now()));
  const find = createFinder(context, address, silent);
  const local = inForce.flatMap(({ ban, revision }) => {
    const jail = jails().find(({ name }) => name === ban.jail);
    const isFor = scopeOf(ban, jail);
    if (!isFor && inForce.length === 1) return [];
    return [{ jail: ban.jail, address: ban.address, standing: find(revision, isFor) }];
  });
  const newest = Math.max(...inForce.map(({ revision }) => revision));
  return {
    standing: inForce.length > 0 ? find(newest) : null,
    local: firstRows(local, localRow, { bytes: LOCAL_BYTES }),
  };
}

function createFinder(context: Context, address: Address, silent: readonly Unheard[]) {
  const { bans, hosts } = context;
  const reaches = createReaches(context);
  return (revision: number, isFor: (host: string) => boolean = () => true): Standing => {
    const concerned = silent.filter(({ host }) => isFor(host));
    const { counts, ...live } = reaches.standing(address, revision, isFor);
    return {
      ...live,
      silent: concerned.slice(0, FIRST).map(({ host, lastSeenAt }) => {
        const status = hosts.get(host)?.status;
        const hadBan = status !== undefined && hasRevision(status, bans.created(), revision);
        return { host, lastSeenAt, hadBan };
      }),
      counts: { ...counts, silent: concerned.length },
    };
  };
}
