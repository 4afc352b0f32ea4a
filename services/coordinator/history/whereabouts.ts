/** The autonomous system and the country of addresses, from the operator's databases. */
import type { PrismaClient } from "../../../prisma/client/client.ts";
import type { Address } from "../../wire/address.ts";

/** Fields that the databases do not know are left out. */
export interface Whereabouts {
  asn?: number;
  country?: string;
}

/** What a database says: "AS64496 Example Ltd", "DE". */
export type LookUp = (address: Address) => { asn?: string; country?: string };

export interface WhereaboutsBook {
  of(address: Address): Whereabouts;
  /** Records the names of the autonomous systems that were found since the last time. */
  recordNames(prisma: Pick<PrismaClient, "$executeRaw">): Promise<void>;
}

/** Addresses that are remembered, because most failures come from few addresses. */
const REMEMBERED = 50_000;
const SYSTEM = /^AS(\d{1,10})(?: (.*))?$/;
const NOWHERE: Whereabouts = {};

/** Number and name of "AS64496 Example Ltd"; a database may know one of them alone. */
export function systemOf(text: string): { asn?: number; name?: string } {
  const [, number, name = number === undefined ? text : ""] = SYSTEM.exec(text) ?? [];
  return { ...(number !== undefined && { asn: Number(number) }), ...(name !== "" && { name }) };
}

/** `lookUp` is undefined where the operator has supplied no database. */
export function createWhereabouts(lookUp: LookUp | undefined): WhereaboutsBook {
  const known = new Map<Address, Whereabouts>();
  const names = new Map<number, string>();
  const recorded = new Set<number>();

  function find(address: Address, look: LookUp): Whereabouts {
    const { asn: system = "", country } = look(address);
    const { asn, name } = systemOf(system);
    if (asn !== undefined && name !== undefined && !recorded.has(asn)) names.set(asn, name);
    return { ...(asn !== undefined && { asn }), ...(country !== undefined && { country }) };
  }

  return {
    of(address) {
      if (!lookUp) return NOWHERE;
      const found = known.get(address) ?? find(address, lookUp);
      if (known.size >= REMEMBERED) known.clear();
      known.set(address, found);
      return found;
    },
    async recordNames(prisma) {
      if (names.size === 0) return;
      const systems = [...names];
      await prisma.$executeRaw`
        INSERT INTO autonomous_system (asn, name)
        SELECT * FROM unnest(
          ${systems.map(([asn]) => asn)}::bigint[],
          ${systems.map(([, name]) => name)}::text[]
        )
        ON CONFLICT (asn) DO UPDATE SET name = excluded.name`;
      for (const [asn] of systems) {
        names.delete(asn);
        recorded.add(asn);
      }
    },
  };
}
