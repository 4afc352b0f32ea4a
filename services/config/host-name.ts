/** A name with a dot, whose last part is no number: what looks like a wrong address is none. */
const HOST_NAME =
  /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** The name in lower case and without a dot at its end; undefined: it is no name of a host. */
export function parseHostName(text: string): string | undefined {
  const name = text.toLowerCase().replace(/\.$/, "");
  return HOST_NAME.test(name) ? name : undefined;
}
