/** How long Chromium takes from the address to the first page with its answers, with nothing cached. */
import { chromium } from "playwright-core";
import type { WebClient } from "../harness/web-client.ts";
import { percentile, type Figure } from "./figure.ts";

const ROUNDS = 9;
/** The sentence that says whether the fleet is well: it needs an answer of the coordinator. */
const SENTENCE = ".verdict .sentence";

export async function measureFirstView(
  site: string,
  { cookie = "" }: Pick<WebClient, "cookie">,
): Promise<Figure> {
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  });
  try {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const context = await browser.newContext();
      const [name = "", value = ""] = cookie.split("=");
      await context.addCookies([
        { name, value, domain: "127.0.0.1", path: "/", secure: true, httpOnly: true },
      ]);
      const page = await context.newPage();
      const began = performance.now();
      await page.goto(site, { waitUntil: "commit" });
      await page.locator(SENTENCE).waitFor();
      times.push(performance.now() - began);
      await context.close();
    }
    const p50 = percentile(times, 0.5);
    return { name: "web, first view", value: p50, unit: "ms", p50, p99: percentile(times, 0.99) };
  } finally {
    await browser.close();
  }
}
