/**
 * What becomes of the user names of failed logins before they leave the host. Most are the
 * attackers' inventions; some are real people's, and some are passwords typed in the wrong field.
 */
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { EXIT, PlainError } from "../../process/exit.ts";

export interface UserNamesConfig {
  users: "store" | "hash" | "drop";
  /** File with the fleet's key; one key, one hash for a name on every host. */
  usersKey?: string | undefined;
}

/** The name as it is published; undefined: none is. */
export type UserNames = (user: string | undefined) => string | undefined;

const SHORTEST_KEY = 16;
/** 96 bits: no two names of a fleet have the same. */
const HASH_CHARACTERS = 24;

/** Throws a PlainError when there is no key that can be used. */
export async function openUserNames({ users, usersKey }: UserNamesConfig): Promise<UserNames> {
  if (users === "store") return (user) => user;
  if (users === "drop") return () => undefined;
  const key = await readKey(usersKey ?? "");
  return (user) =>
    user &&
    `hash:${createHmac("sha256", key).update(user).digest("hex").slice(0, HASH_CHARACTERS)}`;
}

async function readKey(path: string): Promise<string> {
  let key: string;
  try {
    key = (await readFile(path, "utf8")).trim();
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    throw new PlainError(`usersKey ${path}: cannot be read: ${code}`, EXIT.config, { cause });
  }
  if (key.length >= SHORTEST_KEY) return key;
  const message = `usersKey ${path}: expected at least ${SHORTEST_KEY} characters, got ${key.length}`;
  throw new PlainError(message, EXIT.config);
}
