/** How people log in to the web page: by the link that `fleetban web login` prints. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import type { Answer } from "./fleetban.ts";

export async function askForLink(cli: (...args: string[]) => Promise<Answer>): Promise<string> {
  const { code, stdout, stderr } = await cli("web", "login");
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

/** Resolves when the page has let its user in. */
export async function followLink(page: Page, link: string): Promise<void> {
  await page.goto(link);
  await page.getByRole("navigation", { name: "Pages" }).waitFor();
}
