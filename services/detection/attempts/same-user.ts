/** Two names in log lines that may be one user's. */

/** Dovecot cuts names at different lengths in different lines: `averylongna...`. */
export function isSameUser(a: string, b: string): boolean {
  if (a === b) return true;
  if (a.endsWith("...") && b.startsWith(a.slice(0, -3))) return true;
  if (b.endsWith("...") && a.startsWith(b.slice(0, -3))) return true;
  return a.toLowerCase() === b.toLowerCase();
}

/** A passdb may have given a domain to a user who logged in without one. */
export function isSamePerson(a: string, b: string): boolean {
  return isSameUser(a, b) || isSameUser(withoutDomain(a), withoutDomain(b));
}

function withoutDomain(user: string): string {
  const at = user.indexOf("@");
  return at < 1 ? user : user.slice(0, at);
}
