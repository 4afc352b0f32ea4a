/**
 * Whoever wrote a line decides whether it counts. This file alone decides which names speak for
 * Dovecot; docs/log-lines.md tells administrators the same.
 *
 * A name is what the logging system says of the writer: the tag of syslog, a field of a JSON line, the
 * container in front of a line. It is not proof: whoever may write into a log chooses its tag.
 * But text that a client sends to another program never becomes such a name.
 */
import type { LogFacts } from "./log-facts.ts";

/** What a source says of its writers. */
export type Writers = Pick<LogFacts, "writers" | "instances">;

/** An instance's name has dovecot in it by custom. */
const INSTANCE = /^[\w.@/-]{0,64}dovecot[\w.@/-]{0,64}(?:\(pam_[a-z0-9_]{1,24}\))?$/;
/** As these, PAM's modules write in Dovecot's auth processes; `director` is Dovecot's own example. */
const NAMES: readonly string[] = ["director", "auth", "auth-worker", "PAM-warn"];
/** `mail1(pam_unix)`: PAM names its module behind the name of the program. */
const MODULE = /^([^()]{1,64})(\(pam_[a-z0-9_]{1,24}\))$/;

/** The program as the parser knows it; undefined: another program has this name. */
export function dovecotName(
  program: string,
  { instances }: Pick<Writers, "instances">,
): string | undefined {
  if (program === "dovecot" || NAMES.includes(program) || INSTANCE.test(program)) return program;
  if (instances === undefined) return undefined;
  if (instances.includes(program)) return "dovecot";
  const [, name = "", module = ""] = MODULE.exec(program) ?? [];
  return instances.includes(name) ? `dovecot${module}` : undefined;
}

/** Containers of mail servers have such names by custom: mailserver, dovecot-mailcow-1, mailu-imap-1. */
const MAIL_CONTAINER = /dovecot|mail|imap|pop3/i;

/** Does a container of this name speak for Dovecot? Where the source names some, no other does. */
export function isDovecotContainer(name: string, { instances }: Pick<Writers, "instances">) {
  if (instances === undefined) return MAIL_CONTAINER.test(name);
  return instances.some((instance) => hasWord(name, instance));
}

/** `mail_front.1.x7k2@node1`, `mail-front-1` and `/front` are all of the service `front`. */
function hasWord(name: string, word: string): boolean {
  for (let at = name.indexOf(word); at >= 0; at = name.indexOf(word, at + 1)) {
    const [before, after] = [name[at - 1], name[at + word.length]];
    if (!isOfWord(before) && !isOfWord(after)) return true;
  }
  return false;
}

function isOfWord(character: string | undefined): boolean {
  return character !== undefined && /[a-z0-9]/i.test(character);
}
