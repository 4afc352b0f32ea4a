/** RDAP (RFC 9083): what a registry says of an address, as JSON over HTTPS. */
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import * as z from "zod";
import type { Address } from "../../../wire/address.ts";
import { factsFrom, type AddressFacts } from "./address-facts.ts";

/** Longer answers are cut, and then are no JSON. */
const MOST_BYTES = 262_144;

const person = z.object({ roles: z.array(z.string()).catch([]), vcardArray: z.unknown() });
/** ARIN has the abuse contact inside of the owner. */
const entity = person.extend({ entities: z.array(person).max(100).catch([]) });
const network = z.object({
  objectClassName: z.literal("ip network"),
  startAddress: z.string().catch(""),
  endAddress: z.string().catch(""),
  name: z.string().optional().catch(undefined),
  country: z.string().optional().catch(undefined),
  entities: z.array(entity).max(100).catch([]),
});

/** Throws where the server gives no answer within `withinMs`, or something else. */
export async function askRdap(
  server: string,
  address: Address,
  withinMs: number,
): Promise<AddressFacts> {
  const url = `${server.replace(/\/+$/, "")}/ip/${address}`;
  const value = network.parse(JSON.parse(await get(url, withinMs)));
  const { startAddress, endAddress, name, country, entities } = value;
  const all = entities.flatMap((each) => [each, ...each.entities]);
  const withRole = (role: string) => all.find(({ roles }) => roles.includes(role))?.vcardArray;
  return factsFrom({
    ...{ country, name },
    network: startAddress === "" ? undefined : `${startAddress} - ${endAddress}`,
    owner: vcardText(withRole("registrant"), "fn"),
    abuse: vcardText(withRole("abuse"), "email"),
  });
}

/** ["vcard", [["fn", {}, "text", "Example Ltd"], ...]] (RFC 7095). */
function vcardText(vcard: unknown, property: string): unknown {
  const properties: unknown = Array.isArray(vcard) ? vcard[1] : undefined;
  if (!Array.isArray(properties)) return undefined;
  const found: unknown = properties.find(
    (each: unknown) => Array.isArray(each) && each[0] === property,
  );
  return Array.isArray(found) ? found[3] : undefined;
}

function get(url: string, withinMs: number): Promise<string> {
  const request = url.startsWith("http:") ? requestHttp : requestHttps;
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(withinMs);
    const headers = { accept: "application/rdap+json, application/json" };
    const asked = request(url, { signal, headers, agent: false }, (response) => {
      if (response.statusCode !== 200) {
        asked.destroy(new Error(`the registry answers ${response.statusCode}`));
        return;
      }
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MOST_BYTES) asked.destroy(new Error("the registry's answer is too long"));
        else chunks.push(chunk);
      });
      response.once("end", () => resolve(Buffer.concat(chunks).toString()));
      response.on("error", reject);
    });
    asked.on("error", reject);
    asked.end();
  });
}
