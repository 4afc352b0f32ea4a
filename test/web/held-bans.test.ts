/**
 * Held bans and quarantine on the web page, in a real Chromium: the guard of a real coordinator holds
 * the bans of a host that lies, and the page releases, discards and takes back.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { freePort } from "../../services/standalone/child.ts";
import type { Reply } from "../../services/wire/api.ts";
import { parseAddress } from "../../services/wire/address.ts";
import { launchChromium, openPage, type WatchedPage } from "../harness/chromium.ts";
import { eventually } from "../harness/eventually.ts";
import type { Answer } from "../harness/fleetban.ts";
import { startReportingHost, type ReportingHost } from "../harness/reporting-hosts.ts";
import { startSecuredFleet, type SecuredFleet } from "../harness/secured-fleet.ts";
import {
  cliOf,
  startSecuredCoordinator,
  type SecuredProgram,
} from "../harness/secured-programs.ts";
import { askForLink, followLink } from "../harness/web-login.ts";

const GUARD = "guard: { bansPerMinute: 300, perHost: 3 }";

let fleet: SecuredFleet;
let coordinator: SecuredProgram;
let browser: Browser;
let site: string;
const hosts = new Map<string, ReportingHost>();
let alice: WatchedPage;
let page: Page;
let cli: (...args: string[]) => Promise<Answer>;

before(async () => {
  [fleet, browser] = await Promise.all([startSecuredFleet(), launchChromium()]);
  const port = await freePort();
  site = `http://127.0.0.1:${port}`;
  coordinator = await startSecuredCoordinator(fleet, "c1", {
    creds: await fleet.credentials("coordinator", "c1"),
    yaml: `web: { listen: "127.0.0.1:${port}" }\n${GUARD}`,
  });
  cli = cliOf(fleet, await fleet.credentials("operator", "alice"));
  await eventually("the fleet answers", async () => (await cli("status")).code === 0, 30);
  for (const name of ["mx1", "mx7", "mx8"]) {
    const connection = await fleet.connect(await fleet.credentials("agent", name));
    hosts.set(name, await startReportingHost({ connection, name }));
  }
  alice = await openPage(browser);
  ({ page } = alice);
  await followLink(page, await askForLink(cli));
});

afterEach(() => alice.assertClean());

after(async () => {
  await browser.close();
  for (const host of hosts.values()) await host[Symbol.asyncDispose]();
  await coordinator.stop();
  await fleet[Symbol.asyncDispose]();
});

/** One failure of each address stands for as many attempts as the jail takes. */
async function lie(host: string, addresses: readonly string[]): Promise<void> {
  await hosts.get(host)?.failMany(
    addresses.map((text) => ({
      ...{ address: parseAddress(text)!, at: Date.now(), attempts: 5, form: "test" },
    })),
  );
}

const many = (third: number, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `198.18.${third}.${from + index}`);

/** The addresses that are banned, or held, as the command line says. */
async function addressesOf(...args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await cli("ban", "list", ...args, "--json");
  assert.equal(code, 0, stderr);
  const { bans } = JSON.parse(stdout) as Reply<"ban.list">;
  return bans.map(({ address }) => String(address)).sort();
}
const inForce = () => addressesOf();
const held = () => addressesOf("--held");

const dialog = () => page.getByRole("dialog");
const notice = (text: string | RegExp) => page.locator(".notice", { hasText: text });
const openHost = async (name: string) => {
  await page.goto(`${site}/host/${name}`);
  await page.locator(".verdict").waitFor();
};

async function command(action: string, reason: string): Promise<void> {
  await dialog().getByLabel("Reason", { exact: true }).fill(reason);
  await dialog().getByRole("button", { name: action, exact: true }).click();
  await dialog().waitFor({ state: "hidden" });
}

test("a held ban is released on the first page, in force on every host, and the undo lifts it", async () => {
  await lie("mx7", many(1, 1, 9));
  await eventually("six are held", async () => (await held()).length === 6);
  const banned = await inForce();
  const before = await held();
  assert.equal(banned.length, 3);
  await page.goto(`${site}/`);
  await page.getByRole("heading", { name: "6 held bans" }).waitFor();
  const first = page.locator(".held-list li").first();
  await first.getByText("held because host mx7 has caused more than 3 bans").waitFor();
  const address = (await first.getByRole("link").first().textContent()) ?? "";
  assert.ok(before.includes(address), address);

  await first.getByRole("button", { name: "Release" }).click();
  await dialog().getByText("1 ban will be in force on every host.").waitFor();
  await command("Release 1 ban", "it is an attack");
  await notice("1 ban released").waitFor();
  assert.deepEqual(await inForce(), [...banned, address].sort());
  await page.getByRole("heading", { name: "5 held bans" }).waitFor();

  await notice("1 ban released").getByRole("button", { name: /^Undo/ }).click();
  await notice("1 ban in force nowhere again").waitFor();
  assert.deepEqual(await inForce(), banned);
  assert.deepEqual(
    await held(),
    before.filter((each) => each !== address),
  );
  await page.goto(`${site}/address/${address}`);
  await page.locator(".verdict", { hasText: "Not banned now." }).waitFor();
});

test("discarding begins ten seconds later, can be taken back until then, and drops the ban", async () => {
  const [banned, before] = [await inForce(), await held()];
  const address = before[0] ?? "";
  const discard = async () => {
    const row = page.getByRole("row", { name: new RegExp(`^${address.replaceAll(".", "\\.")} `) });
    await row.getByRole("button", { name: "Discard" }).click();
    await dialog().getByText("1 ban will be dropped.").waitFor();
    await command("Discard 1 ban", "a test of ours");
    return notice("1 ban will be discarded in ten seconds");
  };
  await page.goto(`${site}/bans?state=held`);
  await (await discard()).getByRole("button", { name: /^Undo/ }).click();
  await notice("will be discarded").waitFor({ state: "hidden" });
  assert.deepEqual(await held(), before);

  await (await discard()).waitFor();
  assert.deepEqual(await held(), before, "nothing has happened yet");
  await notice("1 ban discarded").waitFor();
  assert.deepEqual(await held(), before.slice(1));
  assert.deepEqual(await inForce(), banned);
  await page.goto(`${site}/bans?state=held`);
  await (await discardAll()).getByRole("button", { name: "Discard now" }).click();
  await notice("4 bans discarded").waitFor();
  await page.getByText("No ban is held: nothing waits for you.").waitFor();
  assert.deepEqual([await held(), await inForce()], [[], banned]);
});

async function discardAll() {
  await page.getByRole("button", { name: "Discard all …" }).click();
  await dialog().getByText("by host: mx7 4").waitFor();
  await command("Discard 4 bans", "a test of ours");
  return notice("4 bans will be discarded in ten seconds");
}

test("all held bans of a network are released together, and one that is discarded counts anew", async () => {
  const banned = await inForce();
  await lie("mx7", [...many(1, 9, 9), ...many(2, 1, 2)]);
  await eventually("three are held", async () => (await held()).length === 3);
  await page.goto(`${site}/bans?state=held&within=198.18.2.0%2F24`);
  await page.getByRole("button", { name: "Release all …" }).click();
  await dialog().getByText("2 bans will be in force on every host.").waitFor();
  await command("Release 2 bans", "seen elsewhere, too");
  await notice("2 bans released").waitFor();
  await page.getByText("No ban matches these filters.").waitFor();
  assert.deepEqual(await inForce(), [...banned, ...many(2, 1, 2)].sort());
  assert.deepEqual(await held(), many(1, 9, 9));
});

test("a host in quarantine causes no ban until that is undone, and its own bans are lifted with it", async () => {
  await lie("mx8", many(8, 1, 2));
  await eventually("both are banned", async () => (await inForce()).includes("198.18.8.2"));
  await openHost("mx8");
  await page.getByRole("button", { name: "Quarantine", exact: true }).click();
  await dialog().getByText("2 bans in force rest on failures of this host alone.").waitFor();
  await dialog().getByRole("checkbox").check();
  await command("Put into quarantine", "the host may be taken over");
  await notice("mx8 is in quarantine; 2 bans lifted").waitFor();
  await page.locator(".verdict", { hasText: "is in quarantine" }).waitFor();
  assert.equal((await inForce()).includes("198.18.8.1"), false);
  await lie("mx8", ["198.18.8.3"]);
  await lie("mx1", ["198.18.9.1"]);
  await eventually("others ban", async () => (await inForce()).includes("198.18.9.1"));
  assert.equal((await inForce()).includes("198.18.8.3"), false);

  await page.getByRole("button", { name: "End the quarantine" }).click();
  await command("End the quarantine", "the host is in order again");
  await notice("failures of mx8 count again").waitFor();
  await openHost("mx8");
  await page.getByRole("button", { name: "Quarantine", exact: true }).click();
  await command("Put into quarantine", "maintenance");
  await notice("mx8 is in quarantine").getByRole("button", { name: /^Undo/ }).click();
  await notice("failures of mx8 count again").waitFor();
  await page.locator(".verdict", { hasText: "It reports" }).waitFor();
  await lie("mx8", ["198.18.8.4"]);
  await eventually("it bans again", async () => (await inForce()).includes("198.18.8.4"));
  assert.equal((await inForce()).includes("198.18.8.3"), false);
});
