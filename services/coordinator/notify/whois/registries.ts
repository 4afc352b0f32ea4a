/**
 * Which registry an address belongs to, and where its RDAP answers: IANA's bootstrap registries
 * (data.iana.org/rdap/ipv4.json and ipv6.json), as of 2019-11. A block that was handed to another
 * registry since is answered by whois, which refers to the right one.
 */
import { contains, parseNetwork, wordsOf, type Address } from "../../../wire/address.ts";

interface Registry {
  rdap: string;
  /** The first bytes of its IPv4 addresses: "77-95" is from 77.0.0.0 to 95.255.255.255. */
  ipv4: string;
  ipv6: string;
}

const REGISTRIES: readonly Registry[] = [
  {
    rdap: "https://rdap.afrinic.net/rdap/",
    ipv4: "41 102 105 154 196-197",
    ipv6: "2001:4200::/23 2c00::/12",
  },
  {
    rdap: "https://rdap.apnic.net/",
    ipv4:
      "1 14 27 36 39 42-43 49 58-61 101 103 106 110-126 133 150 153 163 171 175 180 182-183 " +
      "202-203 210-211 218-223",
    ipv6:
      "2001:200::/23 2001:4400::/23 2001:8000::/19 2001:a000::/20 2001:b000::/20 2001:c00::/23 " +
      "2001:e00::/23 2400::/12",
  },
  {
    rdap: "https://rdap.arin.net/registry/",
    ipv4:
      "3-4 6-9 11-13 15-24 26 28-30 32-35 38 40 44-45 47-48 50 52 54-56 63-76 96-100 104 107-108 " +
      "128-132 134-140 142-144 146-149 152 155-162 164-170 172-174 184 192 198-199 204-209 214-216",
    ipv6: "2001:1800::/23 2001:400::/23 2001:4800::/23 2600::/12 2610::/23 2620::/23 2630::/12",
  },
  {
    rdap: "https://rdap.db.ripe.net/",
    ipv4: "2 5 25 31 37 46 51 53 57 62 77-95 109 141 145 151 176 178 185 188 193-195 212-213 217",
    ipv6:
      "2001:1400::/22 2001:1a00::/23 2001:1c00::/22 2001:2000::/19 2001:4000::/23 2001:4600::/23 " +
      "2001:4a00::/23 2001:4c00::/23 2001:5000::/20 2001:600::/23 2001:800::/22 2003::/18 " +
      "2a00::/12 2a10::/12",
  },
  {
    rdap: "https://rdap.lacnic.net/rdap/",
    ipv4: "177 179 181 186-187 189-191 200-201",
    ipv6: "2001:1200::/23 2800::/12",
  },
];

const BY_FIRST_BYTE = new Map(
  REGISTRIES.flatMap(({ rdap, ipv4 }) =>
    ipv4.split(" ").flatMap((range) => {
      const [first = 0, last = first] = range.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_each, at) => [first + at, rdap] as const);
    }),
  ),
);
const IPV6_BLOCKS = REGISTRIES.flatMap(({ rdap, ipv6 }) =>
  ipv6.split(" ").flatMap((text) => {
    const block = parseNetwork(text);
    return block === undefined ? [] : [{ block, rdap }];
  }),
);

/** The RDAP server of the address's registry; undefined: IANA names none. */
export function rdapServerOf(address: Address): string | undefined {
  if (address.includes(":")) {
    return IPV6_BLOCKS.find(({ block }) => contains(block, address))?.rdap;
  }
  return BY_FIRST_BYTE.get((wordsOf(address)[0] ?? 0) >> 8);
}
