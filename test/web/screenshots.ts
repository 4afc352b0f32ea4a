/**
 * `npm run screenshots`: every page of the web page as PNG, in four states of a fleet and three
 * widths, light and dark. The coordinator, NATS and PostgreSQL are real. The hosts report as agents
 * do, without logs and firewalls. With `--readme` only the pictures of the README are made.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Browser } from "playwright-core";
import { freePort } from "../../services/standalone/child.ts";
import type { Reply } from "../../services/wire/api.ts";
import { parseAddress } from "../../services/wire/address.ts";
import type { Failure } from "../../services/wire/failure.ts";
import { launchChromium, openPage, type WatchedPage } from "../harness/chromium.ts";
import { eventually } from "../harness/eventually.ts";
import { writeMmdbOf } from "../harness/mmdb.ts";
import { startReportingHost, type ReportingHost } from "../harness/reporting-hosts.ts";
import { startSecuredFleet } from "../harness/secured-fleet.ts";
import { cliOf, startSecuredCoordinator } from "../harness/secured-programs.ts";
import { startTestPostgres } from "../harness/servers.ts";
import { followLink } from "../harness/web-login.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const DAY_MS = 86_400_000;
const HOST_COUNT = 12;
/** A sixteenth of a network of documentation each (RFC 5737). */
const COUNTRIES = "CN RU US BR IN VN DE FR NL ID SG HK UA TR MX ZA".split(" ");
const OWNERS = ["Example Telecom", "Example Cloud", "Example Hosting", "Example Mobile"];
/** As IPinfo spells them. */
const WHEREABOUTS = COUNTRIES.flatMap((country, index) =>
  ["198.51.100", "203.0.113"].map((net, at) => {
    const owner = { asn: `AS${64_496 + ((index + at) % 16)}`, as_name: OWNERS[(index + at) % 4]! };
    return [`${net}.${index * 16}/28`, { country, ...owner }] as const;
  }),
);
const USERS = ["info", "admin", "alice", "office", "sales", "test", "postmaster", "\u202enimda"];
const BUSY_ADDRESS = "198.51.100.7";

const PAGES: Readonly<Record<string, string>> = {
  now: "/",
  bans: "/bans",
  held: "/bans?state=held",
  address: `/address/${BUSY_ADDRESS}`,
  failures: "/failures?period=7d",
  account: "/account?user=info%40example.org",
  hosts: "/hosts",
  host: "/host/mx4",
  allowlist: "/allowlist",
  policy: "/policy",
  audit: "/audit",
};
type State = "empty" | "attacked" | "silent-host" | "without-postgresql";

interface View {
  width: number;
  colorScheme: "light" | "dark";
}
const VIEWS = [1440, 800, 360].flatMap((width): View[] => [
  { width, colorScheme: "light" },
  { width, colorScheme: "dark" },
]);

const random = seeded(7);
const oneOf = <T>(items: readonly T[]): T => items[Math.floor(random() ** 2 * items.length)]!;

/** The same pictures every time, but for times. mulberry32. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function failureAt(at: number): Omit<Failure, "position"> {
  const net = random() < 0.7 ? "198.51.100" : "203.0.113";
  const address = parseAddress(`${net}.${Math.floor(random() ** 2 * 255)}`)!;
  const user = `${oneOf(USERS)}@example.org`;
  return { address, at, attempts: 1, user, service: "imap", form: "test" };
}

/** Failures of the last week, more of them by day than by night. */
async function fillRecord(hosts: readonly ReportingHost[]): Promise<void> {
  for (const host of hosts) {
    const now = Date.now();
    const times = Array.from({ length: 8000 }, () => now - 3_600_000 - random() * 7 * DAY_MS)
      .filter((at) => random() < 0.5 + 0.4 * Math.sin((at / DAY_MS) * 2 * Math.PI))
      .sort((a, b) => a - b);
    for (let from = 0; from < times.length; from += 1000) {
      const part = times.slice(from, from + 1000);
      await host.failMany(part.map((at) => failureAt(Math.round(at))));
    }
  }
}

/** An attack, until it is stopped. */
function attack(hosts: readonly ReportingHost[]): () => Promise<void> {
  const stopped = new AbortController();
  const work = (async () => {
    while (!stopped.signal.aborted) {
      const host = oneOf(hosts);
      await host.failMany(Array.from({ length: 4 }, () => failureAt(Date.now())));
      await pause(120);
    }
  })();
  return async () => {
    stopped.abort();
    await work;
  };
}

interface Fleet {
  url: string;
  /** Of the operator alice; resolves to what it prints. */
  cli: (...args: string[]) => Promise<string>;
  hosts: ReportingHost[];
  /** Until the coordinator warns of nothing. */
  untilQuiet(): Promise<void>;
  addHosts(): Promise<void>;
  stopPostgres(): Promise<void>;
}

async function withFleet(use: (fleet: Fleet) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-screenshots-"));
  const [keys, postgres] = await Promise.all([startSecuredFleet(), startTestPostgres()]);
  const port = await freePort();
  const database = join(folder, "whereabouts.mmdb");
  await writeMmdbOf(database, WHEREABOUTS);
  const coordinator = await startSecuredCoordinator(keys, "centre1", {
    creds: await keys.credentials("coordinator", "centre1"),
    databaseUrl: await postgres.createDatabase(),
    yaml: coordinatorYaml({ port, database }),
  });
  const ask = cliOf(keys, await keys.credentials("operator", "alice"));
  const cli = async (...args: string[]) => {
    const { code, stdout, stderr } = await ask(...args);
    if (code !== 0) throw new Error(`fleetban ${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  const hosts: ReportingHost[] = [];
  try {
    await eventually(
      "the coordinator is ready",
      () => coordinator.log().includes("coordinator is ready"),
      30,
    );
    await use({
      ...{ url: `http://127.0.0.1:${port}`, hosts, cli },
      async untilQuiet() {
        await eventually("there is no warning", async () => {
          const { warnings } = JSON.parse(await cli("status", "--json")) as Reply<"status.show">;
          return warnings.length === 0;
        });
      },
      async addHosts() {
        for (let number = 1; number <= HOST_COUNT; number += 1) {
          const name = `mx${number}`;
          const connection = await keys.connect(await keys.credentials("agent", name));
          hosts.push(await startReportingHost({ connection, name }));
        }
      },
      stopPostgres: () => postgres.stop(),
    });
  } catch (error) {
    process.stderr.write(coordinator.log().slice(-2000));
    throw error;
  } finally {
    for (const host of hosts) await host[Symbol.asyncDispose]();
    await coordinator.stop();
    await keys[Symbol.asyncDispose]();
    await postgres[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  }
}

const coordinatorYaml = (facts: { port: number; database: string }) => `
web: { listen: "127.0.0.1:${facts.port}" }
guard: { perHost: 40 }
notify: { whois: { databases: ["${facts.database}"], ask: false } }
jails:
  dovecot: { bantime: 1h, bantime.increment: true, users: 4 }
  submission: { maxretry: 10, findtime: 1h, bantime: 1d, shadow: true }
`;

async function logIn(browser: Browser, { cli }: Fleet, view: View): Promise<WatchedPage> {
  const height = view.width === 360 ? 740 : 900;
  const opened = await openPage(browser, {
    viewport: { width: view.width, height },
    colorScheme: view.colorScheme,
    timezoneId: "UTC",
  });
  await followLink(opened.page, (await cli("web", "login")).trim());
  return opened;
}

/** Waits until nothing is on its way, and lets the feed run for a moment. */
async function settle({ page }: WatchedPage, seconds = 0): Promise<void> {
  await page.locator("main h1").waitFor();
  await page.locator(".loading").first().waitFor({ state: "hidden" });
  await page.waitForLoadState("load");
  await pause(250 + seconds * 1000);
}

async function shootState(browser: Browser, fleet: Fleet, state: State): Promise<void> {
  const { url } = fleet;
  for (const view of VIEWS) {
    const folder = join(ROOT, "dist/screenshots", state);
    await mkdir(folder, { recursive: true });
    const opened = await logIn(browser, fleet, view);
    for (const [name, path] of Object.entries(PAGES)) {
      await opened.page.goto(url + path);
      await settle(opened, name === "now" ? 2 : 0);
      const file = `${name}-${view.width}-${view.colorScheme}.png`;
      await opened.page.screenshot({ path: join(folder, file), fullPage: name !== "bans" });
    }
    opened.assertClean();
    await opened.page.context().close();
  }
  const away = await openPage(browser, { viewport: { width: 800, height: 700 } });
  await away.page.goto(`${url}/login`);
  await settle(away);
  await away.page.screenshot({ path: join(ROOT, "dist/screenshots", state, "login-800.png") });
  await away.page.context().close();
}

/** What stands in the README. */
async function shootReadme(browser: Browser, fleet: Fleet): Promise<void> {
  const { url } = fleet;
  const folder = join(ROOT, "docs/images");
  await mkdir(folder, { recursive: true });
  const wide = await logIn(browser, fleet, { width: 1200, colorScheme: "light" });
  await wide.page.setViewportSize({ width: 1200, height: 1080 });
  await settle(wide, 3);
  await wide.page.screenshot({ path: join(folder, "web-now.png") });
  await wide.page.goto(`${url}/failures?period=7d&by=country`);
  await settle(wide);
  await wide.page.screenshot({ path: join(folder, "web-failures.png") });
  await wide.page.context().close();
  const dark = await logIn(browser, fleet, { width: 1200, colorScheme: "dark" });
  await dark.page.setViewportSize({ width: 1200, height: 1000 });
  await dark.page.goto(`${url}/address/${BUSY_ADDRESS}`);
  await settle(dark);
  await dark.page.screenshot({ path: join(folder, "web-address.png") });
  await dark.page.context().close();
}

async function prepareAttack(fleet: Fleet): Promise<void> {
  await fleet.addHosts();
  await fillRecord(fleet.hosts);
  await fleet.cli("allow", "add", "192.0.2.0/24", "--comment", "our office");
  await fleet.cli("allow", "add", "203.0.113.250", "--comment", "customer", "--for", "1d");
  await fleet.cli("ban", "add", "203.0.113.99", "--reason", "reported by a customer");
  // A host whose log nobody should trust: the guard holds what is beyond its limit.
  const last = fleet.hosts.at(-1);
  for (let number = 1; number <= 46; number += 1) {
    const address = parseAddress(`192.88.99.${number}`)!;
    await last?.failMany(
      Array.from({ length: 5 }, () => ({ ...failureAt(Date.now()), address, user: "info" })),
    );
  }
  // One address that every host has seen.
  for (const host of fleet.hosts.slice(0, 5)) {
    await host.fail(BUSY_ADDRESS, { user: "info@example.org", service: "imap" });
  }
}

const isForReadme = process.argv.includes("--readme");
const browser = await launchChromium();
try {
  await withFleet(async (fleet) => {
    if (!isForReadme) {
      await fleet.untilQuiet();
      await shootState(browser, fleet, "empty");
    }
    await prepareAttack(fleet);
    const stop = attack(fleet.hosts);
    await pause(isForReadme ? 45_000 : 20_000);
    if (isForReadme) await shootReadme(browser, fleet);
    else await shootState(browser, fleet, "attacked");
    await stop();
    if (isForReadme) return;
    fleet.hosts[3]?.fallSilent();
    await pause(35_000); // until the coordinator takes a host to be silent
    await shootState(browser, fleet, "silent-host");
    await fleet.stopPostgres();
    await shootState(browser, fleet, "without-postgresql");
  });
} finally {
  await browser.close();
}
process.stdout.write(
  `pictures are in ${isForReadme ? "docs/images" : "dist/screenshots"}: look at them\n`,
);
