/**
 * User names that an address has tried, as numbers. Names are the attacker's text and may be long:
 * a window keeps 32 bits of each name and of each mail domain, whatever the attacker writes.
 */

/** A hash of the name in lower case, as Dovecot has names; 0: there is none. */
export function hashOfName(user: string | undefined): number {
  return user === undefined || user === "" ? 0 : hashOf(user.toLowerCase());
}

/** A hash of the mail domain that the name is of; 0: the name has none. */
export function hashOfDomain(user: string | undefined): number {
  const domain = user === undefined ? undefined : relatedDomain(user);
  return domain === undefined ? 0 : hashOf(domain);
}

/** How many different names or domains there are among `hashes` from `begin` to `end`. */
export function countDifferent(hashes: readonly number[], begin: number, end: number): number {
  const different = new Set<number>();
  for (let place = begin; place <= end; place += 1) {
    const hash = hashes[place] ?? 0;
    if (hash !== 0) different.add(hash);
  }
  return different.size;
}

/** Labels below which a country registers domains for everybody: example.co.uk, example.com.br. */
const SECOND_LEVEL: ReadonlySet<string> = new Set([
  "ac",
  "co",
  "com",
  "edu",
  "go",
  "gob",
  "gov",
  "mil",
  "ne",
  "net",
  "or",
  "org",
]);

/**
 * The domain of a user name that all of its subdomains share: mail.example.org and example.org
 * are related. Dovecot takes the text behind the first @ as the domain, in lower case.
 *
 * There is no list of public suffixes here. Where this guess is wrong it takes unrelated domains
 * for related ones (a.example.k12.ca.us and b.ca.us), so fewer addresses are banned, never more,
 * unless somebody owns a name such as co.de and gives its subdomains away.
 */
export function relatedDomain(user: string): string | undefined {
  const at = user.indexOf("@");
  const domain = at < 0 ? "" : user.slice(at + 1).toLowerCase();
  const end = domain.endsWith(".") ? domain.length - 1 : domain.length;
  if (end === 0) return undefined;
  const labels = domain.slice(0, end).split(".");
  // The last label of an address is a number: 192.0.2.1, [192.0.2.1].
  if (/^\d+\]?$/.test(labels.at(-1) ?? "")) return domain.slice(0, end);
  const [second = "", top = ""] = labels.slice(-2);
  const isOfCountry = top.length === 2 && SECOND_LEVEL.has(second);
  return labels.slice(isOfCountry ? -3 : -2).join(".");
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const character of text) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }
  return hash === 0 ? 1 : hash;
}
