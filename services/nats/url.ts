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
