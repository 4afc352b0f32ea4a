import { z } from "zod";
import { parseNetwork, type Address } from "../wire/address.ts";

/** An address or a network in a configuration. */
export const networkSetting = z.string().transform((text, context): Address => {
  const address = parseNetwork(text);
  if (address !== undefined) return address;
  const message = `expected an address or a network such as 192.0.2.0/24, got ${JSON.stringify(text)}`;
  context.addIssue({ code: "custom", message });
  return z.NEVER;
});
