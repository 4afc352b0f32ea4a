/**
 * Databases of addresses in MaxMind's format, which the operator supplies. Makers name their fields
 * differently: whatever looks like a country or an autonomous system is taken.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Reader, type Response } from "mmdb-lib";
import { reasonOf } from "../../../process/reason.ts";
import type { Address } from "../../../wire/address.ts";
import { factsFrom, type AddressFacts } from "./address-facts.ts";

export type LookUpInDatabases = (address: Address) => AddressFacts;

export interface DatabasesOptions {
  paths: readonly string[];
  folder: string;
  fault: (option: string, reason: string) => void;
}

/** Where a field may stand; the first that is there is taken. */
const COUNTRY = ["country.iso_code", "country_code", "country", "registered_country.iso_code"];
const NUMBER = ["autonomous_system_number", "asn", "as_number", "traits.autonomous_system_number"];
const OWNER = [
  ...["autonomous_system_organization", "as_name", "as_org", "organization", "isp"],
  "traits.autonomous_system_organization",
];

export function openDatabases({ paths, folder, fault }: DatabasesOptions): LookUpInDatabases {
  const readers = paths.flatMap((path) => {
    try {
      return [new Reader<Response>(readFileSync(resolve(folder, path)))];
    } catch (error) {
      fault("whois.databases", `${path}: cannot be used: ${reasonOf(error)}`);
      return [];
    }
  });
  return (address) => factsFrom(...readers.map((reader) => factsOf(reader, address)));
}

function factsOf(reader: Reader<Response>, address: Address): AddressFacts {
  const [base = ""] = address.split("/");
  let found: unknown;
  try {
    found = reader.get(base);
  } catch {
    return {}; // a database of IPv4 alone, or one that is broken at this place
  }
  const number = pick(found, NUMBER);
  const system = number === undefined ? undefined : `AS${number.replace(/^AS/i, "")}`;
  const asn = [system, pick(found, OWNER)].filter((part) => part !== undefined).join(" ");
  return factsFrom({ country: pick(found, COUNTRY), asn });
}

/** The first of these fields that is a text or a number. */
function pick(value: unknown, paths: readonly string[]): string | undefined {
  for (const path of paths) {
    let inner: unknown = value;
    for (const key of path.split(".")) {
      const isRecord = typeof inner === "object" && inner !== null && Object.hasOwn(inner, key);
      inner = isRecord ? (inner as Record<string, unknown>)[key] : undefined;
    }
    if (typeof inner === "string" || typeof inner === "number") return String(inner);
  }
  return undefined;
}
