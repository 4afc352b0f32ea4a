/**
 * A real Chromium, driven by playwright-core. A page that reports an error of a script, or what its
 * content security policy forbids, fails the test that has opened it.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";

/** Debian's package; deploy/setup installs it. */
const PROGRAM = "/usr/bin/chromium";
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** For Chromium to start, and for each step in a page, on a machine that does much else. */
const PATIENCE_MS = 90_000;
/** Chromium's own line for an answer that the page expects: nobody is logged in, nothing is known. */
const EXPECTED =
  /status of (?:401|404|409|503)|net::ERR_CONNECTION_REFUSED|net::ERR_INCOMPLETE_CHUNKED/;

export interface WatchedPage {
  page: Page;
  /** Fails where the page has reported an error since the last call. */
  assertClean(): void;
}

export function launchChromium(): Promise<Browser> {
  if (!existsSync(PROGRAM)) {
    throw new Error(`${PROGRAM} is missing: apt-get install -y --no-install-recommends chromium`);
  }
  return chromium.launch({ executablePath: PROGRAM, args: ARGUMENTS, timeout: PATIENCE_MS });
}

/** A page with cookies of its own. */
export async function openPage(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    timezoneId: "Europe/Berlin",
    acceptDownloads: true,
    ...options,
  });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(`error: ${error.stack ?? error.message}`));
  page.on("console", (message) => {
    const text = message.text();
    if (message.type() === "error" && !EXPECTED.test(text)) errors.push(`console: ${text}`);
  });
  page.on("dialog", (dialog) => {
    errors.push(`a dialog of a script: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return {
    page,
    assertClean() {
      assert.deepEqual(errors.splice(0), []);
    },
  };
}
