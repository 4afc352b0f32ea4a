/** Two coordinators behind one address, and an open page: whichever of them is killed, it goes on. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { freePort } from "../../services/standalone/child.ts";
import { parseAddress } from "../../services/wire/address.ts";
import { launchChromium, openPage, type WatchedPage } from "../harness/chromium.ts";
import { eventually } from "../harness/eventually.ts";
import { startReportingHost, type ReportingHost } from "../harness/reporting-hosts.ts";
import { startSecuredFleet, type SecuredFleet } from "../harness/secured-fleet.ts";
import {
  cliOf,
  startSecuredCoordinator,
  type SecuredProgram,
} from "../harness/secured-programs.ts";
import { shareAddress, type SharedAddress } from "../harness/shared-address.ts";
import { createWebClient } from "../harness/web-client.ts";
import { askForLink, followLink } from "../harness/web-login.ts";

let fleet: SecuredFleet;
let browser: Browser;
let shared: SharedAddress;
let site: string;
let ports: [number, number];
/** The first one serves the page while it is up. */
let coordinators: [SecuredProgram, SecuredProgram];
let hosts: ReportingHost[];
/** The pages of one operator: the first one shows what happens, the other one gives commands. */
let watching: WatchedPage;
let commanding: WatchedPage;

before(async () => {
  [fleet, browser] = await Promise.all([startSecuredFleet(), launchChromium()]);
  ports = [await freePort(), await freePort()];
  shared = await shareAddress(ports);
  site = `http://127.0.0.1:${shared.port}`;
  // One after the other, so that the first one decides.
  const first = await startCoordinator("c1", ports[0]);
  await untilServed(ports[0]);
  const second = await startCoordinator("c2", ports[1]);
  await untilServed(ports[1]);
  coordinators = [first, second];
  hosts = [];
  for (const name of ["mx1", "mx2"]) {
    const connection = await fleet.connect(await fleet.credentials("agent", name));
    hosts.push(await startReportingHost({ connection, name }));
  }
  const creds = await fleet.credentials("operator", "alice");
  watching = await openPage(browser);
  commanding = await openPage(browser);
  for (const { page } of [watching, commanding]) {
    await followLink(page, await askForLink(cliOf(fleet, creds)));
  }
});

after(async () => {
  await browser.close();
  for (const host of hosts) await host[Symbol.asyncDispose]();
  for (const coordinator of coordinators) await coordinator.stop();
  await shared[Symbol.asyncDispose]();
  await fleet[Symbol.asyncDispose]();
});

async function startCoordinator(name: string, port: number): Promise<SecuredProgram> {
  return startSecuredCoordinator(fleet, name, {
    creds: await fleet.credentials("coordinator", name),
    yaml: `web: { listen: "127.0.0.1:${port}", url: "${site}" }\njails: { dovecot: { maxretry: 3 } }`,
  });
}

const untilServed = (port: number) =>
  eventually(
    "the coordinator serves the page",
    () => fetch(`http://127.0.0.1:${port}/`).then(({ ok }) => ok),
    30,
  );

/** Reports one failed login of each of so many addresses, beginning with 192.0.2.`from`. */
async function report(from: number, count: number): Promise<void> {
  await hosts[0]?.failMany(
    Array.from({ length: count }, (_, index) => {
      const address = parseAddress(`192.0.2.${from + index}`)!;
      return { address, at: Date.now(), attempts: 1, form: "test" };
    }),
  );
}

const live = ({ page }: WatchedPage) => page.locator(".feed-state.live").waitFor();

/** The addresses of the failures in the page's feed, the oldest first. */
async function failuresShown({ page }: WatchedPage): Promise<string[]> {
  const lines = await page.locator(".feed-item.failure").allTextContents();
  return lines.map((line) => /of (\S+) on/.exec(line)?.[1] ?? line).reverse();
}

const bansShown = ({ page }: WatchedPage, address: string) =>
  page.locator(".feed-item.ban", { hasText: address }).count();

/** How many events the page's feed has told: the last ones of a burst are lines, the others a number. */
async function eventsShown({ page }: WatchedPage): Promise<number> {
  const lines = await page.locator(".feed-item:not(.more)").count();
  const others = await page.locator(".feed-item.more").allTextContents();
  return others.reduce((sum, line) => sum + Number(/\+(\d+) more/.exec(line)?.[1]), lines);
}

const until = async (watched: WatchedPage, address: string) =>
  eventually(
    `the page shows ${address}`,
    async () => (await failuresShown(watched)).at(-1) === address,
  );

const cookieOf = async ({ page }: WatchedPage) => {
  const [cookie] = await page.context().cookies();
  return `${cookie?.name}=${cookie?.value}`;
};

async function ban(page: Page, address: string): Promise<void> {
  await page.getByRole("dialog").getByLabel("Reason", { exact: true }).fill("attacks accounts");
  await page.getByRole("dialog").getByRole("button", { name: "Ban", exact: true }).click();
  const notice = page.locator(".notice", { hasText: `${address} is banned in dovecot` });
  await notice.filter({ hasText: "in force on 2/2 hosts" }).waitFor();
}

async function openBanDialog(page: Page, address: string): Promise<void> {
  await page.goto(`${site}/bans`);
  await page.getByRole("button", { name: "Ban an address" }).click();
  await page.getByRole("dialog").getByLabel("Address or network").fill(address);
  await page.getByText("A new ban").waitFor();
}

test("when a coordinator is killed, open pages go on at the other: feed, session and commands", async () => {
  await watching.page.goto(`${site}/`);
  await live(watching);
  const cookie = await cookieOf(watching);
  await report(1, 3);
  await until(watching, "192.0.2.3");
  await openBanDialog(commanding.page, "198.51.100.7");

  await coordinators[0].stop("SIGKILL");
  // The page asks for the feed again only after two seconds.
  await report(4, 3);
  await ban(commanding.page, "198.51.100.7");
  await live(watching);
  await report(7, 3);
  await until(watching, "192.0.2.9");
  const expected = Array.from({ length: 9 }, (_, index) => `192.0.2.${index + 1}`);
  assert.deepEqual(await failuresShown(watching), expected);
  assert.equal(await bansShown(watching, "198.51.100.7"), 1, "the ban of the meantime, once");
  assert.equal(await cookieOf(watching), cookie, "nobody has logged in again");

  for (const host of [...hosts, ...hosts]) await host.fail("198.51.100.8");
  await eventually(
    "the other coordinator decides",
    async () => (await bansShown(watching, "198.51.100.8")) === 1,
  );
  watching.assertClean();
  commanding.assertClean();
});

test("the killed coordinator comes back, the other is killed, and a burst is counted to the last", async () => {
  const before = await eventsShown(watching);
  await coordinators[0].start();
  await untilServed(ports[0]);
  const direct = createWebClient(site, `http://127.0.0.1:${ports[0]}`);
  direct.cookie = await cookieOf(watching);
  await eventually("it has heard of both hosts", async () => {
    const { body } = await direct.post("status.show");
    return (body["hosts"] as { up: number }).up === 2;
  });
  await openBanDialog(commanding.page, "198.51.100.9");

  await coordinators[1].stop("SIGKILL");
  await report(10, 30);
  await ban(commanding.page, "198.51.100.9");
  await live(watching);
  await report(40, 1);
  await until(watching, "192.0.2.40");
  const shown = (await failuresShown(watching)).filter((address) => address !== "198.51.100.8");
  assert.equal(new Set(shown).size, shown.length, "nothing twice");
  assert.equal(await bansShown(watching, "198.51.100.9"), 1);
  assert.equal((await eventsShown(watching)) - before, 30 + 1 + 1, "every failure, and the ban");
  watching.assertClean();
  commanding.assertClean();
});
