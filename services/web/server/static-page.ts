/** index.html, which is the answer to every path of a page, and its script and style sheet. */
import type { IncomingMessage } from "node:http";
import type { BundledPage } from "./bundled-page.ts";
import type { HttpReply } from "./http-reply.ts";
import { WebError } from "./web-error.ts";

/** What stands in index.html for the base path. */
export const BASE_PATH = "%BASE_PATH%";
const YEAR_SECONDS = 31_536_000;

export interface StaticPage {
  index(): HttpReply;
  /** `name` is what stands behind /assets/. Throws a WebError if there is none. */
  asset(name: string, request: IncomingMessage): HttpReply;
}

export function createStaticPage(page: BundledPage, basePath: string): StaticPage {
  const index = page.index.replaceAll(BASE_PATH, basePath);

  return {
    index: () => ({
      code: 200,
      headers: { "content-type": "text/html; charset=utf-8", "cache-control": "no-cache" },
      body: index,
    }),
    asset(name, request) {
      const asset = Object.hasOwn(page.assets, name) ? page.assets[name] : undefined;
      if (!asset) throw new WebError(404, `${name}: there is no such file; load the page again`);
      const headers = {
        "content-type": asset.type,
        "cache-control": `public, max-age=${YEAR_SECONDS}, immutable`,
        vary: "accept-encoding",
      };
      const accepted = request.headers["accept-encoding"] ?? "";
      for (const [encoding, body] of [
        ["br", asset.brotli],
        ["gzip", asset.gzip],
      ] as const) {
        const isAccepted = new RegExp(`(?:^|,)\\s*${encoding}\\s*(?:;(?!\\s*q=0)|,|$)`);
        if (isAccepted.test(accepted)) {
          return { code: 200, headers: { ...headers, "content-encoding": encoding }, body };
        }
      }
      return { code: 200, headers, body: asset.bytes };
    },
  };
}
