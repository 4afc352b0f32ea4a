/** What is known of an address: from databases, RDAP and whois, on real servers of the test's own. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventOfBan } from "../../services/coordinator/notify/ban-events.ts";
import { Digest, type Delivery } from "../../services/coordinator/notify/digest.ts";
import type { AddressFacts } from "../../services/coordinator/notify/whois/address-facts.ts";
import { openAddressBook } from "../../services/coordinator/notify/whois/address-book.ts";
import { whoisConfig } from "../../services/coordinator/notify/notify-config.ts";
import { rdapServerOf } from "../../services/coordinator/notify/whois/registries.ts";
import { parseNetwork } from "../../services/wire/address.ts";
import { writeMmdb } from "../harness/mmdb.ts";
import { makeBan } from "../harness/notify-centre.ts";
import { startTestWhois } from "../harness/whois-server.ts";

let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban-whois-"));
});

after(async () => {
  await rm(folder, { recursive: true, force: true });
});

function deliveryOf(...addresses: string[]): Delivery {
  const digest = new Digest();
  for (const address of addresses) {
    const place = { created: "", sequence: 1, storedAt: Date.now() };
    const event = eventOfBan(makeBan(address), place);
    assert.ok(event);
    digest.add(event);
  }
  return digest.delivery();
}

const LIMITS = { serverMs: 300, messageMs: 1_000, apartMs: 10 };

function openBook(given: Record<string, unknown>, limits = LIMITS) {
  const faults: string[] = [];
  const fault = (option: string, reason: string) => void faults.push(`${option}: ${reason}`);
  const config = whoisConfig.parse(given);
  const book = openAddressBook(config, { folder, fault, now: Date.now, limits });
  async function look(...addresses: string[]): Promise<(AddressFacts | undefined)[]> {
    const delivery = deliveryOf(...addresses);
    const factsOf = await book.lookUp(delivery);
    return delivery.events.map(factsOf);
  }
  return { look, faults };
}

async function startRdap(answer: (path: string) => [status: number, body: string]) {
  const paths: string[] = [];
  const server = createServer((request, response) => {
    paths.push(request.url ?? "");
    const [status, body] = answer(request.url ?? "");
    response.writeHead(status).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/rdap`,
    paths,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const RDAP_ANSWER = JSON.stringify({
  objectClassName: "ip network",
  startAddress: "198.51.100.0",
  endAddress: "198.51.100.255",
  name: "EXAMPLE-NET\u001b[2J",
  country: "NL",
  entities: [
    {
      roles: ["registrant"],
      vcardArray: ["vcard", [["fn", {}, "text", "Example Ltd"]]],
      entities: [
        { roles: ["abuse"], vcardArray: ["vcard", [["email", {}, "text", "abuse@example.org"]]] },
      ],
    },
  ],
});

test("a registry is asked by RDAP, once for a network, and its text is made plain", async () => {
  await using rdap = await startRdap(() => [200, RDAP_ANSWER]);
  await using whois = await startTestWhois(() => "");
  const { look } = openBook({ rdap: rdap.url, server: whois.at });
  const [facts] = await look("198.51.100.7", "198.51.100.99");
  assert.deepEqual(facts, {
    ...{ country: "NL", network: "198.51.100.0 - 198.51.100.255", name: "EXAMPLE-NET [2J" },
    ...{ owner: "Example Ltd", abuse: "abuse@example.org" },
  });
  await look("198.51.100.8");
  assert.deepEqual(rdap.paths, ["/rdap/ip/198.51.100.7"]);
  assert.deepEqual(whois.questions, []);
});

test("where RDAP fails whois is asked, and a referral is followed", async () => {
  await using rdap = await startRdap(() => [500, "broken"]);
  await using registry = await startTestWhois(
    () => "% RIPE\r\ninetnum: 203.0.113.0 - 203.0.113.255\r\nnetname: X\r\ncountry: DE\r\n",
  );
  await using iana = await startTestWhois(
    () => `refer:        ${registry.at}\n\norganisation: RIPE`,
  );
  const { look } = openBook({ rdap: rdap.url, server: iana.at });
  const [facts, neighbour] = await look("203.0.113.7", "203.0.113.8");
  assert.deepEqual(facts, {
    ...{ country: "DE", network: "203.0.113.0 - 203.0.113.255", name: "X" },
  });
  assert.deepEqual(neighbour, facts);
  assert.deepEqual([iana.questions, registry.questions], [["203.0.113.7"], ["203.0.113.7"]]);
});

test("operators' databases go first, in any schema, and are enough where nobody may be asked", async () => {
  const system = { autonomous_system_number: 64_496, as_name: "Example" };
  await writeMmdb(join(folder, "asn.mmdb"), "198.51.100.0/24", system);
  const country = { country: { iso_code: "FR" } };
  await writeMmdb(join(folder, "country.mmdb"), "198.51.0.0/16", country);
  await using rdap = await startRdap(() => [200, RDAP_ANSWER]);
  const databases = ["asn.mmdb", "country.mmdb"];
  const [local] = await openBook({ databases, ask: false }).look("198.51.100.7");
  assert.deepEqual(local, { country: "FR", asn: "AS64496 Example" });
  const [both] = await openBook({ databases, rdap: rdap.url }).look("198.51.100.7");
  assert.deepEqual(
    [both?.country, both?.asn, both?.owner],
    ["FR", "AS64496 Example", "Example Ltd"],
  );
  await writeFile(join(folder, "broken.mmdb"), "no database");
  const { faults } = openBook({ databases: ["broken.mmdb", "missing.mmdb"] });
  assert.match(
    faults.join("\n"),
    /broken\.mmdb: cannot be used.*\n.*missing\.mmdb: cannot be used/,
  );
});

test("databases of both versions and all sizes of records are read", async () => {
  for (const recordSize of [24, 28, 32] as const) {
    await writeMmdb(join(folder, "v4.mmdb"), "203.0.113.0/25", { country: "NL" }, { recordSize });
    const six = { recordSize, version: 6 as const };
    await writeMmdb(join(folder, "v6.mmdb"), "2001:db8::/32", { country_code: "DE" }, six);
    await writeMmdb(join(folder, "both.mmdb"), "192.0.2.0/24", { asn: "AS64500" }, six);
    const { look } = openBook({ databases: ["v4.mmdb", "v6.mmdb", "both.mmdb"], ask: false });
    const found = await look("203.0.113.7", "203.0.113.200", "2001:db8:1::/64", "192.0.2.9");
    assert.deepEqual(found, [{ country: "NL" }, {}, { country: "DE" }, { asn: "AS64500" }]);
  }
});

test("a hostile registry delays nothing and gets nothing into a message", async () => {
  const huge = Buffer.alloc(10_000_000, "netname: x\n");
  const answers = new Map<string, string | Buffer | undefined>([
    ["192.0.2.1", huge],
    ["192.0.2.2", undefined],
    ["192.0.2.3", `netname: a\u0000\u001b[31m\u202eb\rc${"x".repeat(9_999)}\n`],
    ["192.0.2.4", "refer: 10.0.0.1\nrefer: localhost\nwhois: metadata.internal:80\n"],
    ["192.0.2.5", "inetnum: 0.0.0.0 - 255.255.255.255\nnetname: everything\n"],
  ]);
  await using whois = await startTestWhois((question) => answers.get(question));
  await using rdap = await startRdap(() => [200, "x".repeat(1_000_000)]);
  const { look } = openBook({ rdap: rdap.url, server: whois.at });
  assert.deepEqual(await look("192.0.2.1"), [{ name: "x" }]);
  assert.deepEqual(await look("192.0.2.2"), [{}]);
  const [odd] = await look("192.0.2.3");
  assert.match(odd?.name ?? "", /^a \[31m b cx+…$/);
  assert.ok((odd?.name ?? "").length <= 120);
  assert.deepEqual(await look("192.0.2.4"), [{}]);
  await look("192.0.2.5");
  assert.deepEqual(await look("192.0.2.6"), [{}], "an answer holds for no more than a /8");
});

test("a message with many addresses waits no longer than for one", async () => {
  await using whois = await startTestWhois(() => undefined);
  const limits = { serverMs: 10_000, messageMs: 100, apartMs: 10 };
  const { look } = openBook({ rdap: "http://127.0.0.1:1", server: whois.at }, limits);
  const facts = await look("192.0.2.1", "192.0.2.2", "192.0.2.3");
  assert.deepEqual(facts, [undefined, undefined, undefined]);
});

test("IANA's table names the registry of an address", () => {
  const serverOf = (text: string) => rdapServerOf(parseNetwork(text)!);
  assert.equal(serverOf("193.0.6.139"), "https://rdap.db.ripe.net/");
  assert.equal(serverOf("8.8.8.8"), "https://rdap.arin.net/registry/");
  assert.equal(serverOf("1.1.1.1"), "https://rdap.apnic.net/");
  assert.equal(serverOf("200.160.2.3"), "https://rdap.lacnic.net/rdap/");
  assert.equal(serverOf("41.0.0.1"), "https://rdap.afrinic.net/rdap/");
  assert.equal(serverOf("2a00:1450::/64"), "https://rdap.db.ripe.net/");
  assert.equal(serverOf("127.0.0.1"), undefined);
  assert.equal(serverOf("10.0.0.1"), undefined);
});
