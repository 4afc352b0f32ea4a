/**
 * The table of what stands between a stamp and a message: host, program, process id, each under its
 * sample. The usual tag is read without an expression, in `readUsualTag`.
 */

export interface Tag {
  /** The program's name, as the line has it. */
  program: string;
  /** Where the message begins. */
  end: number;
}

/** All of these end within. */
const LONGEST = 400;

const TAGS: readonly RegExp[] = [
  // [dovecot]
  /^\[([^\s[\]]{1,64})\] /,
  // mx1 dovecot[26236]: ; <mail.info> mx1 dovecot[241]: ; 2001:db8::5 dovecot: ; mx1 mx/dovecot[1]:
  /^(?:<[a-z0-9.]{1,32}> )?\S{0,255}[^\s:] ([^\s:[\]]{1,64})(?:\[\d{1,10}\])?: /,
  // mx1 mail.info dovecot: ; mail.info dovecot[241]: ; mx1 mail:info dovecot[241]:
  /^(?:\S{1,255} )?(?:mail|auth|authpriv|daemon|user|local[0-7])[.:][a-z]{3,7} ([^\s:[\]]{1,64})(?:\[\d{1,10}\])?: /,
  // dovecot: ; dovecot[37002]: ; dovecot(pam_unix)[26236]:
  /^([\w().@/-]{1,64})(?:\[\d{1,10}\])?: /,
];

/** All tags that the text can be read with. */
export function* readTags(text: string): Generator<Tag> {
  const head = text.slice(0, LONGEST);
  for (const pattern of TAGS) {
    const match = pattern.exec(head);
    if (match) yield { program: match[1] ?? "", end: match[0].length };
  }
}

/** `[ID 583609 mail.info] ` behind the tag: Solaris. `(libdovecot.0.dylib) `: macOS. */
const MARK = /^(?:\[ID \d{1,10} [a-z0-9.]{1,32}\]|\(libdovecot[\w.]{0,32}\)) /;

export function withoutMark(text: string): string {
  const first = text[0];
  if (first !== "[" && first !== "(") return text;
  return text.slice(MARK.exec(text.slice(0, 64))?.[0].length ?? 0);
}

/** Dovecot's processes by their names, which macOS has in place of a tag. */
const PROCESS = /^(?:log|auth|[a-z0-9]{1,16}-login)$/;

/** `mx1 log[71]: (libdovecot.0.dylib) imap-login: ...` */
export function isMarkedProcess({ program, end }: Tag, text: string): boolean {
  return text.startsWith("(libdovecot", end) && PROCESS.test(program);
}

const SPACE = 32;
const COLON = 58;
const BRACKET = 91;

/**
 * Where the message begins behind ` mx1 dovecot: ` or ` mx1 dovecot[26236]: ` at this place, as nearly
 * every line has it; undefined: it is another head.
 */
export function readUsualTag(text: string, from: number): number | undefined {
  if (text.charCodeAt(from) !== SPACE) return undefined;
  let at = from + 1;
  let hasLetter = false; // without one the word may be a part of the stamp
  for (; at < from + 256; at += 1) {
    const code = text.charCodeAt(at);
    if (isLetter(code)) hasLetter = true;
    else if (!isDigit(code) && code !== 45 && code !== 46 && code !== 95) break; // - . _
  }
  if (!hasLetter || text.charCodeAt(at) !== SPACE) return undefined;
  if (!text.startsWith("dovecot", at + 1)) return undefined;
  at += 8;
  if (text.charCodeAt(at) === BRACKET) {
    at += 1;
    while (isDigit(text.charCodeAt(at))) at += 1;
    if (text[at] !== "]") return undefined;
    at += 1;
  }
  if (text.charCodeAt(at) !== COLON || text.charCodeAt(at + 1) !== SPACE) return undefined;
  return at + 2;
}

function isLetter(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90);
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}
