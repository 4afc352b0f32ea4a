import * as z from "zod";

/**
 * One URL of a NATS server or several with commas, each with its scheme; "mx.example.org:4222" is
 * one, too. undefined: it is none.
 */
export function parseNatsUrls(text: string): string | undefined {
  const urls = text.split(",").map((each) => {
    const url = each.trim();
    return url.includes("://") ? url : `nats://${url}`;
  });
  const isUrl = (url: string) => /^(?:nats|tls):\/\/[^/]+\/?$/.test(url) && URL.canParse(url);
  return urls.every(isUrl) ? urls.join(",") : undefined;
}

/** The URL as it may be shown: without a password. */
export function withoutLogin(url: string): string {
  return url.replace(/(\w+:\/\/)[^@/,]*@/g, "$1");
}

/** `nats.url` in a configuration. */
export const natsUrlSetting = z.string().transform((text, context): string => {
  const urls = parseNatsUrls(text);
  if (urls !== undefined) return urls;
  const given = JSON.stringify(withoutLogin(text));
  const message = `expected a URL such as nats://127.0.0.1:4222, got ${given}`;
  context.addIssue({ code: "custom", message });
  return z.NEVER;
});
