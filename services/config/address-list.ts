import * as z from "zod";
import { parseNetwork, prefixOf, type Address } from "../wire/address.ts";
import { EVERYBODY } from "../wire/request-fields.ts";

/** Addresses and networks that a configuration spares: `allowlist`, `ignoreip`. */
export const addressList = z.array(
  z.string().transform((text, context): Address => {
    const address = parseNetwork(text);
    if (address !== undefined && prefixOf(address) > 0) return address;
    const message =
      address === undefined
        ? `expected an address or a network such as 192.0.2.0/24, got ${JSON.stringify(text)}`
        : EVERYBODY;
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  }),
);
