/**
 * The web page for those who read and use it: times, keyboard, movement, copies, links and other
 * numbers, in a real Chromium.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { freePort } from "../../services/standalone/child.ts";
import { launchChromium, openPage, type WatchedPage } from "../harness/chromium.ts";
import { eventually } from "../harness/eventually.ts";
import { startReportingHost, type ReportingHost } from "../harness/reporting-hosts.ts";
import { startSecuredFleet, type SecuredFleet } from "../harness/secured-fleet.ts";
import {
  cliOf,
  startSecuredCoordinator,
  type SecuredProgram,
} from "../harness/secured-programs.ts";
import { startTestPostgres, type TestPostgres } from "../harness/servers.ts";
import { askForLink, followLink } from "../harness/web-login.ts";

let fleet: SecuredFleet;
let postgres: TestPostgres;
let coordinator: SecuredProgram;
let browser: Browser;
let site: string;
const hosts: ReportingHost[] = [];
let cli: ReturnType<typeof cliOf>;
/** In Berlin, an hour before UTC in winter and two in summer. */
let alice: WatchedPage;
let page: Page;

before(async () => {
  [fleet, postgres, browser] = await Promise.all([
    startSecuredFleet(),
    startTestPostgres(),
    launchChromium(),
  ]);
  const port = await freePort();
  site = `http://127.0.0.1:${port}`;
  coordinator = await startSecuredCoordinator(fleet, "c1", {
    creds: await fleet.credentials("coordinator", "c1"),
    databaseUrl: await postgres.createDatabase(),
    yaml: `web: { listen: "127.0.0.1:${port}" }`,
  });
  cli = cliOf(fleet, await fleet.credentials("operator", "alice"));
  await eventually("the fleet answers", async () => (await cli("status")).code === 0, 30);
  for (const name of ["mx1", "mx2"]) {
    const connection = await fleet.connect(await fleet.credentials("agent", name));
    hosts.push(await startReportingHost({ connection, name }));
  }
  alice = await openPage(browser);
  ({ page } = alice);
  await logIn(page);
});

afterEach(() => alice.assertClean());

after(async () => {
  await browser.close();
  for (const host of hosts) await host[Symbol.asyncDispose]();
  await coordinator.stop();
  await postgres[Symbol.asyncDispose]();
  await fleet[Symbol.asyncDispose]();
});

const logIn = async (into: Page) => followLink(into, await askForLink(cli));

const dialog = () => page.getByRole("dialog");
const notice = (text: string | RegExp) => page.locator(".notice", { hasText: text });

async function banOnPage(address: string): Promise<void> {
  await page.getByRole("button", { name: "Ban an address" }).click();
  await dialog().getByLabel("Address or network").fill(address);
  await dialog().getByText("A new ban").waitFor();
  await dialog().getByLabel("Reason", { exact: true }).fill("attacks accounts");
  await dialog().getByRole("button", { name: "Ban", exact: true }).click();
  await notice(`${address} is banned in dovecot: in force on 2/2 hosts after`).waitFor();
}

/** Moves on with the key until the element that has the focus says this. */
async function tabTo(text: string): Promise<void> {
  const said = () =>
    page.evaluate<string>(
      "document.activeElement.textContent || document.activeElement.labels?.[0]?.textContent || ''",
    );
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press("Tab");
    if ((await said()).trim().startsWith(text)) return;
  }
  assert.fail(`the key does not lead to "${text}"`);
}

test("a ban is given and taken back with the keyboard alone", async () => {
  await page.goto(`${site}/bans`);
  await page.getByText("Nobody is banned now.").waitFor();
  await tabTo("Ban an address");
  await page.keyboard.press("Enter");
  await dialog().waitFor();
  await page.keyboard.type("198.51.100.7");
  await dialog().getByText("A new ban").waitFor();
  await tabTo("Reason");
  await page.keyboard.type("attacks accounts");
  await page.keyboard.press("Enter");
  await notice("198.51.100.7 is banned in dovecot: in force on 2/2 hosts after").waitFor();
  await tabTo("Undo");
  await page.keyboard.press("Enter");
  await notice("the ban of 198.51.100.7 is undone: lifted on 2/2 hosts").waitFor();
});

test("a command wants a reason", async () => {
  await page.goto(`${site}/bans`);
  await page.getByRole("button", { name: "Ban an address" }).click();
  await dialog().getByLabel("Address or network").fill("198.51.100.8");
  await dialog().getByText("A new ban").waitFor();
  const ban = dialog().getByRole("button", { name: "Ban", exact: true });
  assert.equal(await ban.isEnabled(), false);
  await dialog().getByLabel("Reason", { exact: true }).fill("   ");
  assert.equal(await ban.isEnabled(), false, "spaces are no reason");
  await page.keyboard.press("Escape");
});

test("a command can be taken back for ten seconds", async () => {
  await page.clock.install();
  await page.goto(`${site}/bans`);
  await banOnPage("198.51.100.9");
  const undo = notice("198.51.100.9 is banned").getByRole("button", { name: /^Undo/ });
  await undo.waitFor();
  await page.clock.runFor(8_000);
  assert.equal(await undo.count(), 1);
  await page.clock.runFor(2_000);
  await undo.waitFor({ state: "detached" });
});

test("times are those of the reader's zone, and UTC where the pointer rests", async () => {
  await page.goto(`${site}/bans`);
  const row = page.getByRole("row", { name: /198\.51\.100\.9/ });
  const time = row.locator("td[data-name=Began] time");
  const at = (await time.getAttribute("datetime")) ?? "";
  const berlin = new Intl.DateTimeFormat("en-GB", {
    ...{ timeZone: "Europe/Berlin", hour: "2-digit", minute: "2-digit" },
  }).format(new Date(at));
  assert.equal(await time.textContent(), `today ${berlin}`);
  assert.ok((await time.getAttribute("title"))?.includes(`${at.slice(11, 16)}:`), at);
  assert.match((await time.getAttribute("title")) ?? "", / UTC\n.* (?:CET|GMT\+1|CEST|GMT\+2)$/);
  await page.getByText(/All times are in Europe\/Berlin/).waitFor();
});

test("nothing moves for a reader who wants that", async () => {
  for (const [reducedMotion, name] of [
    ["no-preference", "rise"],
    ["reduce", "none"],
  ] as const) {
    await page.emulateMedia({ reducedMotion });
    await page.goto(`${site}/bans`);
    await page.getByRole("button", { name: "Ban an address" }).click();
    await dialog().waitFor();
    const animation = "getComputedStyle(document.querySelector('dialog[open]')).animationName";
    assert.equal(await page.evaluate<string>(animation), name);
    await page.keyboard.press("Escape");
  }
  await page.emulateMedia({ reducedMotion: "no-preference" });
});

test("a link with filters shows its receiver the same", async () => {
  await page.goto(`${site}/bans`);
  await page.getByLabel("Reason contains").fill("accounts");
  await page.getByLabel("Jail").selectOption("dovecot");
  await page.waitForURL(/reason=accounts/);
  assert.match(page.url(), /jail=dovecot/, "a filter that changes meanwhile stays");
  const other = await openPage(browser);
  await logIn(other.page);
  await other.page.goto(page.url());
  await other.page.getByRole("row", { name: /198\.51\.100\.9/ }).waitFor();
  assert.equal(await other.page.getByLabel("Reason contains").inputValue(), "accounts");
  assert.equal(await other.page.getByLabel("Jail").inputValue(), "dovecot");
  other.assertClean();
  await other.page.context().close();
});

test("a table is copied with what it shows and what a narrow window leaves out", async () => {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"], { origin: site });
  await page.goto(`${site}/bans`);
  await page.getByRole("row", { name: /198\.51\.100\.9/ }).waitFor();
  await page.getByRole("button", { name: "Copy" }).click();
  await notice("1 row copied").waitFor();
  const copied = await page.evaluate<string>("navigator.clipboard.readText()");
  const [head = "", row = ""] = copied.split(/\r?\n/);
  assert.equal(head, ["Address", "Jail", "State", "Began", "Ends", "Reason", "By"].join("\t"));
  assert.match(row, /^198\.51\.100\.9\tdovecot\tbanned\t.*\tattacks accounts\toperator alice$/);
});

test("other numbers of a jail are tried on the failures of the last days", async () => {
  for (const host of hosts) await host.fail("203.0.113.9");
  const count = () => page.getByText(/On \d+ failures?/).textContent();
  await eventually(
    "the failures are on record, and two of them would have brought a ban",
    async () => {
      await page.goto(`${site}/policy`);
      await page.getByText("Try other numbers on past failures").click();
      await page.getByLabel("maxretry").fill("2");
      await page.getByRole("button", { name: "Try", exact: true }).click();
      await page.locator(".outcome").waitFor();
      return (await count()) === "On 2 failures";
    },
  );
  await page.getByText("1 address more would have been banned.").waitFor();
  await page.getByLabel("maxretry").fill("0");
  await page.getByText("From 1 to 100.").waitFor();
});

test("a name of ten thousand characters is refused in words, and widens no page", async () => {
  const name = `<script>window.hit=1</script>\u202e${"x".repeat(10_000)}`;
  await page.setViewportSize({ width: 360, height: 740 });
  const query = new URLSearchParams({ user: name });
  await page.goto(`${site}/account?${query.toString()}`);
  await page.getByText("No user name on record has more than 256 characters.").waitFor();
  assert.equal(await page.evaluate("window.hit"), undefined);
  assert.equal(await page.evaluate<number>("document.documentElement.scrollWidth"), 360);
  const { code, stderr } = await cli("ban", "add", "198.51.100.10", "--reason", name);
  assert.equal(code, 64, stderr);
});
