/** The web page in a real Chromium, on a secured fleet with PostgreSQL, below a base path. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
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

const PATH = "/fleetban";
const JAILS = "jails: { dovecot: { maxretry: 3 } }";
/** A user name, and the reason of a ban: markup, a turned direction, a formula, and long. */
const HOSTILE = `=cmd|\u202e' /C calc'!A0<script>window.hit=1</script><img src=x onerror=window.hit=1>\u202c`;
const LONG = HOSTILE + "x".repeat(256 - HOSTILE.length);

let fleet: SecuredFleet;
let postgres: TestPostgres;
let coordinator: SecuredProgram;
const hosts: ReportingHost[] = [];
let browser: Browser;
let site: string;
/** What the operator alice sees, who is logged in for most of the tests. */
let alice: WatchedPage;
let page: Page;

before(async () => {
  [fleet, postgres, browser] = await Promise.all([
    startSecuredFleet(),
    startTestPostgres(),
    launchChromium(),
  ]);
  const port = await freePort();
  site = `http://127.0.0.1:${port}${PATH}`;
  coordinator = await startSecuredCoordinator(fleet, "c1", {
    creds: await fleet.credentials("coordinator", "c1"),
    databaseUrl: await postgres.createDatabase(),
    yaml: `web: { listen: "127.0.0.1:${port}", url: "${site}" }\n${JAILS}`,
  });
  await eventually(
    "the coordinator is ready",
    () => coordinator.log().includes("coordinator is ready"),
    30,
  );
  for (const name of ["mx1", "mx2"]) {
    const connection = await fleet.connect(await fleet.credentials("agent", name));
    hosts.push(await startReportingHost({ connection, name }));
  }
  alice = await openPage(browser);
  ({ page } = alice);
  await logIn(page, "operator", "alice");
});

afterEach(() => alice.assertClean());

after(async () => {
  await browser.close();
  for (const host of hosts) await host[Symbol.asyncDispose]();
  await coordinator.stop();
  await postgres[Symbol.asyncDispose]();
  await fleet[Symbol.asyncDispose]();
});

const known = new Map<string, string>();

async function credentialsOf(role: "operator" | "viewer", name: string): Promise<string> {
  const file = known.get(name) ?? (await fleet.credentials(role, name));
  known.set(name, file);
  return file;
}

async function linkOf(role: "operator" | "viewer", name: string): Promise<string> {
  const creds = await credentialsOf(role, name);
  return askForLink(cliOf(fleet, creds));
}

async function logIn(into: Page, role: "operator" | "viewer", name: string): Promise<string> {
  const link = await linkOf(role, name);
  await followLink(into, link);
  return link;
}

const dialog = (): ReturnType<Page["getByRole"]> => page.getByRole("dialog");

/** Gives the reason, and the command. */
async function command(action: string, reason: string): Promise<void> {
  await dialog().getByLabel("Reason", { exact: true }).fill(reason);
  await dialog().getByRole("button", { name: action, exact: true }).click();
  await dialog().waitFor({ state: "hidden" });
}

/** Of the element that has the focus. */
const focused = (property: "textContent" | "id") =>
  page.evaluate<string>(`document.activeElement.${property}`);

const notice = (text: string | RegExp) => page.locator(".notice", { hasText: text });

test("a link logs in once, leaves nothing behind, and the page says how the fleet is", async () => {
  const other = await openPage(browser);
  const link = await logIn(other.page, "viewer", "vera");
  assert.equal(other.page.url(), `${site}/`, "the token is not in the address any more");
  await other.page.locator(".verdict .sentence").waitFor();
  await other.page.getByRole("link", { name: "Bans", exact: true }).click();
  assert.equal(other.page.url(), `${site}/bans`);
  assert.equal(await other.page.getByRole("button", { name: "Ban an address" }).count(), 0);
  other.assertClean();

  const late = await openPage(browser);
  await late.page.goto(link);
  await late.page.getByRole("heading", { name: "Log in" }).waitFor();
  await late.page.getByText("fleetban web login", { exact: true }).waitFor();
  assert.notEqual(await late.page.getByRole("alert").textContent(), "");
  late.assertClean();
  await late.page.context().close();
  await other.page.context().close();
});

test("a ban is in force on every host, in the feed, and undone", async () => {
  const viewer = await openPage(browser);
  await logIn(viewer.page, "viewer", "vera");
  await viewer.page.locator(".feed-state.live").waitFor();

  await page.goto(`${site}/bans`);
  await page.getByRole("button", { name: "Ban an address" }).click();
  await dialog().getByLabel("Address or network").fill("198.51.100.7");
  await dialog().getByText("A new ban").waitFor();
  await command("Ban", "reported by a customer");
  await notice(/198\.51\.100\.7 is banned in dovecot: in force on 2\/2 hosts after/).waitFor();
  await viewer.page.locator(".feed-item.ban", { hasText: "198.51.100.7" }).waitFor();
  await viewer.page.context().close();

  const row = page.getByRole("row", { name: /198\.51\.100\.7/ });
  await row.getByText("reported by a customer").waitFor();
  await notice("is banned").getByRole("button", { name: /^Undo/ }).click();
  await notice(/the ban of 198\.51\.100\.7 is undone: lifted on 2\/2 hosts/).waitFor();
  await row.waitFor({ state: "hidden" });
});

test("an unban can be undone, and may allow the address for a day", async () => {
  await page.goto(`${site}/address/198.51.100.8`);
  await page.getByText("The fleet knows nothing of this address.").waitFor();
  await page.getByRole("button", { name: "Ban", exact: true }).click();
  await command("Ban", "attacks accounts");
  await page.locator(".verdict", { hasText: "in force on 2/2 hosts" }).waitFor();
  await page.getByRole("button", { name: "Unban 198.51.100.8" }).click();
  await command("Unban", "the customer has corrected the password");
  await notice(/198\.51\.100\.8 is unbanned: lifted on 2\/2 hosts/).waitFor();
  await page.locator(".verdict", { hasText: "Not banned now." }).waitFor();
  await notice("is unbanned").getByRole("button", { name: /^Undo/ }).click();
  await notice(/1 ban of 198\.51\.100\.8 is back: in force on 2\/2 hosts/).waitFor();
  await page.locator(".verdict", { hasText: "Banned in dovecot" }).waitFor();

  await page.getByRole("button", { name: "Unban 198.51.100.8" }).click();
  await dialog().getByRole("checkbox").check();
  await command("Unban and allow", "our own office");
  await page.locator(".verdict", { hasText: "on the allowlist" }).waitFor();
  await page.goto(`${site}/allowlist`);
  await page
    .getByRole("row", { name: /198\.51\.100\.8.*our own office.*operator alice/ })
    .waitFor();
});

test("a network is banned only after a look at it, and what is allowed is refused", async () => {
  await page.goto(`${site}/bans`);
  await page.getByRole("button", { name: "Ban an address" }).click();
  await dialog().getByLabel("Address or network").fill("198.51.100.8");
  await dialog().getByText("It will be refused").waitFor();
  await dialog().getByLabel("Address or network").fill("203.0.113.0/24");
  await dialog().getByText("256 addresses").waitFor();
  await command("Ban 203.0.113.0/24", "abuse");
  await page.getByRole("row", { name: /203\.0\.113\.0\/24/ }).waitFor();

  await page.getByLabel("Within a network").fill("203.0.113.0/24");
  await page.getByRole("button", { name: "Lift all …" }).click();
  await dialog().getByText("1 ban will be lifted.").waitFor();
  await command("Lift 1 ban", "banned by mistake");
  await notice("1 ban will be lifted in ten seconds").waitFor();
  await page.getByRole("button", { name: "Lift now" }).click();
  await notice("1 ban lifted").waitFor();
  assert.match(page.url(), /within=203\.0\.113\.0%2F24/);
  await page.getByText("No ban matches these filters.").waitFor();

  await page.goto(`${site}/allowlist`);
  await page.getByRole("button", { name: "Remove 198.51.100.8" }).click();
  await command("Remove", "it is no longer ours");
  await notice(/198\.51\.100\.8 is off the allowlist/).waitFor();
  const removal = page.getByRole("row", {
    name: /allow remove.*198\.51\.100\.8: it is no longer ours/,
  });
  await eventually("the removal is on record, with its reason", async () => {
    await page.goto(`${site}/audit`);
    await page.getByRole("table", { name: "Audit" }).waitFor();
    return (await removal.count()) === 1;
  });
});

test("a ban ends by itself, in the feed and in the list", async () => {
  await page.goto(`${site}/`);
  await page.locator(".feed-state.live").waitFor();
  const creds = await credentialsOf("operator", "bob");
  const ban = ["ban", "add", "198.51.100.9", "--for", "2s", "--reason", "shortly"];
  const { code, stderr } = await cliOf(fleet, creds)(...ban);
  assert.equal(code, 0, stderr);
  const feed = page.locator(".feed-item.ban", { hasText: "198.51.100.9" });
  await feed.filter({ hasText: "banned" }).waitFor();
  await feed.filter({ hasText: "ended" }).waitFor();
  await page.goto(`${site}/bans?state=all`);
  await page
    .getByRole("row", { name: /198\.51\.100\.9.*ended.*shortly/ })
    .first()
    .waitFor();
});

test("hostile names and reasons stay text on every page, in copies and in files", async () => {
  for (const host of hosts) await host.fail("192.0.2.66", { user: LONG });
  await hosts[0]?.fail("192.0.2.66", { user: LONG });
  await page.goto(`${site}/address/192.0.2.66`);
  await eventually("the failures are on record", async () => {
    await page.reload();
    await page.locator(".verdict").waitFor();
    return (await page.getByText("3 failures").count()) > 0;
  });
  const creds = await credentialsOf("operator", "bob");
  const ban = ["ban", "add", "192.0.2.67", "--reason", LONG];
  assert.equal((await cliOf(fleet, creds)(...ban)).code, 0);

  const query = new URLSearchParams({ user: LONG });
  for (const path of [
    "/address/192.0.2.66",
    "/address/192.0.2.67",
    "/bans",
    "/failures?by=user",
    `/account?${query.toString()}`,
    "/audit",
  ]) {
    await page.goto(site + path);
    await page.locator(".escape", { hasText: "\\u202e" }).first().waitFor();
    assert.equal(await page.evaluate("window.hit"), undefined, path);
    assert.equal(await page.locator("main script, main img, main iframe").count(), 0, path);
    const shown = await page.evaluate<string>("document.body.innerText");
    assert.doesNotMatch(shown, /[\u202a-\u202e\u2066-\u2069]/, path);
  }

  await page.goto(`${site}/bans?by=bob`);
  await page.getByRole("button", { name: /… .* more/ }).click();
  await page.getByText(`${"x".repeat(50)}less`).waitFor();
  const csv = await downloadCsv();
  assert.match(csv, /^\ufeffAddress,Jail,State,/);
  assert.match(csv, /,"'=cmd\|\\u202e' \/C calc'!A0<script>[^"]*\\u202cx*",/);
  assert.doesNotMatch(csv, /[\u202a-\u202e]/);
  for (const path of ["/audit", "/failures?by=user"]) {
    await page.goto(site + path);
    await page.locator(".escape", { hasText: "\\u202e" }).first().waitFor();
    const exported = await downloadCsv();
    assert.match(exported, /'?=cmd\|\\u202e/, path);
    assert.doesNotMatch(exported, /[\u202a-\u202e]|(?:^|,)"?=/m, path);
  }
});

/** Of the table on the page. */
async function downloadCsv(): Promise<string> {
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "CSV" }).click(),
  ]);
  return readFile(await file.path(), "utf8");
}

test("lists of the record can be read again once PostgreSQL is back", async () => {
  const other = await page.context().newPage();
  const lists = [
    [page, "/bans?state=all", "Bans"],
    [other, "/audit", "Audit"],
  ] as const;
  const retryOf = (tab: Page) => tab.getByRole("button", { name: "Try again" });
  await postgres.stop();
  for (const [tab, path] of lists) {
    await tab.goto(site + path);
    await retryOf(tab).waitFor();
    await tab.getByText(/PostgreSQL cannot be asked \([\d.:]+: cannot be reached\)/).waitFor();
  }
  await postgres.start();
  for (const [tab, , name] of lists) {
    // A tab that is not seen draws nothing, and a button is clicked only where it is drawn.
    await tab.bringToFront();
    await eventually(`the page ${name} is whole again`, async () => {
      if ((await retryOf(tab).count()) > 0) await retryOf(tab).click({ timeout: 1000 });
      return (await retryOf(tab).count()) === 0;
    });
    await tab.getByRole("table", { name }).waitFor();
  }
  await other.close();
  await page.bringToFront();
});

test("the keyboard leads everywhere, and no page is wider than its window", async () => {
  await page.goto(`${site}/`);
  await page.locator(".verdict").waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await focused("textContent"), "Skip to the content");
  await page.keyboard.press("Enter");
  assert.equal(await focused("id"), "content");
  await page.keyboard.press("/");
  await page.keyboard.type("192.0.2.66");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "192.0.2.66", exact: true }).waitFor();
  await page.getByRole("button", { name: "Allow" }).focus();
  await page.keyboard.press("Enter");
  await dialog().waitFor();
  // At the very moment at which the dialog is gone.
  await page.evaluate(`new MutationObserver((_, observer) => {
    if (document.querySelector("dialog")) return;
    observer.disconnect();
    window.focusedThen = document.activeElement.textContent;
  }).observe(document.body, { childList: true, subtree: true })`);
  await page.keyboard.press("Escape");
  await dialog().waitFor({ state: "hidden" });
  assert.equal(await page.evaluate<string>("window.focusedThen"), "Allow");

  const account = `/account?${new URLSearchParams({ user: LONG }).toString()}`;
  for (const [width, path] of [
    ...[360, 800, 1440].flatMap((width) =>
      ["/", "/bans", "/address/192.0.2.66", "/failures?by=user", "/hosts", "/host/mx1"].map(
        (path) => [width, path] as const,
      ),
    ),
    ...[360, 800].flatMap((width) =>
      [account, "/allowlist", "/audit", "/policy"].map((path) => [width, path] as const),
    ),
  ]) {
    await page.setViewportSize({ width, height: 800 });
    await page.goto(site + path);
    await page.locator("main .panel, main .table-box, main .empty-box").first().waitFor();
    const wide = await page.evaluate<number>("document.documentElement.scrollWidth");
    assert.ok(wide <= width, `${path} is ${wide} wide in a window of ${width}`);
    const end = await page.evaluate<number>(
      "document.querySelector('nav [aria-current]').getBoundingClientRect().right",
    );
    assert.ok(Math.floor(end) <= width, `the link of ${path} can be seen`);
  }
  await page.setViewportSize({ width: 1280, height: 900 });
});

test("a session that ends while pages are open ends them, and a command comes too late", async () => {
  await fleet.key(["operator", "eve", "--for", "25s"]);
  known.set("eve", join(fleet.folder, "operators/eve.creds"));
  const [watching, commanding] = [await openPage(browser), await openPage(browser)];
  for (const each of [watching, commanding]) await logIn(each.page, "operator", "eve");
  await watching.page.locator(".feed-state.live").waitFor();
  const late = commanding.page;
  await late.goto(`${site}/bans`);
  await late.getByRole("button", { name: "Ban an address" }).click();
  await late.getByLabel("Address or network").fill("198.51.100.66");
  await late.getByLabel("Reason", { exact: true }).fill("too late");
  await late.getByText("A new ban").waitFor();

  await watching.page.getByRole("heading", { name: "Log in" }).waitFor();
  await watching.page.getByRole("alert").getByText("the session is over").waitFor();
  await late.getByRole("button", { name: "Ban", exact: true }).click();
  await late.getByRole("heading", { name: "Log in" }).waitFor();
  await page.goto(`${site}/address/198.51.100.66`);
  await page.getByText("The fleet knows nothing of this address.").waitFor();
  for (const each of [watching, commanding]) {
    each.assertClean();
    await each.page.context().close();
  }
});

test("revoked credentials end the session of an open page", async () => {
  await page.goto(`${site}/`);
  await page.locator(".feed-state.live").waitFor();
  await fleet.key(["revoke", "alice"]);
  fleet.server.reload();
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  await page.getByRole("alert").waitFor();
});
