import { hostname, userInfo } from "node:os";

/** "root@mx1", as one token of a subject; a container's user may have no name. */
export function whoAsks(): string {
  const token = (text: string) => text.replace(/[^A-Za-z0-9_-]/g, "-").slice(0, 63);
  const host = token(hostname());
  try {
    return `${token(userInfo().username)}@${host}`;
  } catch {
    return `uid-${process.getuid?.()}@${host}`;
  }
}
