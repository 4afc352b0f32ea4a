/** Groups of hosts, as a jail names them: [mx*, "!mx9"] is every host whose name begins with mx, but mx9. */

/** A name of a host in which * stands for any text; with ! in front: not these. */
export const HOST_PATTERN = /^!?[A-Za-z0-9_*-]{1,63}$/;

/** Is a host in the group? Without a pattern that includes hosts, every host is that none excludes. */
export function createHostGroup(patterns: readonly string[]): (host: string) => boolean {
  const isExcluding = (pattern: string) => pattern.startsWith("!");
  const including = patterns.filter((pattern) => !isExcluding(pattern)).map(matcherOf);
  const excluding = patterns.filter(isExcluding).map((pattern) => matcherOf(pattern.slice(1)));
  return (host) =>
    (including.length === 0 || including.some((matches) => matches(host))) &&
    !excluding.some((matches) => matches(host));
}

function matcherOf(pattern: string): (host: string) => boolean {
  const expression = new RegExp(`^${pattern.replace(/\*+/g, ".*")}$`);
  return (host) => expression.test(host);
}
