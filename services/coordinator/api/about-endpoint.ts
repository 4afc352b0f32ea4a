/** Where addresses are, from the operator's databases. */
import type { Address } from "../../wire/address.ts";
import type { Whereabouts } from "../../wire/api.ts";
import { systemOf } from "../history/whereabouts.ts";
import type { ApiContext } from "./api-context.ts";
import type { Endpoints } from "./api-server.ts";

type Databases = Pick<ApiContext, "lookUp">;

export function aboutEndpoint(context: ApiContext): Pick<Endpoints, "about.show"> {
  return {
    "about.show": ({ addresses }) => ({
      about: addresses.map((address) => whereaboutsOf(context, address)),
    }),
  };
}

function whereaboutsOf({ lookUp }: Databases, address: Address): Whereabouts | null {
  const { country = null, asn: system = "" } = lookUp?.(address) ?? {};
  const { asn = null, name: organization = null } = systemOf(system);
  if (country === null && asn === null && organization === null) return null;
  return { country, asn, organization };
}

/** "DE, AS64496 Example Ltd"; null: nothing is known of the address. */
export function aboutAddress({ lookUp }: Databases, address: Address | undefined): string | null {
  const { country, asn } = (address !== undefined && lookUp?.(address)) || {};
  const facts = [country, asn].filter((fact) => fact !== undefined);
  return facts.length === 0 ? null : facts.join(", ");
}
