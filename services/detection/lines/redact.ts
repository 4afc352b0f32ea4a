/**
 * Lines as they may be shown to people: without passwords, which auth_verbose_passwords and
 * auth_debug_passwords write into the log.
 */

/** The line without the password that was tried, and without what debugging says. */
export function withoutPassword(text: string): string {
  return text
    .replace(/(given password: ).*/su, "$1(hidden)")
    .replace(/^([^\n]{0,200}\bauth\b[^\n]{0,400}?\bDebug: ).*/su, "$1(hidden)");
}

const LONGEST = 200;

/**
 * The line without anything that a client may have sent: names, passwords, what stands in quotes or
 * brackets. Nobody knows the form of such a line, so whatever may be secret is left out.
 */
export function redact(text: string): string {
  return (
    withoutPassword(text.slice(0, 4_096))
      .replace(/("(?:MESSAGE|log|message|msg)" ?: ?")/, "$1 ")
      .replace(
        /\b(pass(?:word|wd|phrase)?|secret|token|resp|base64)([:= ]+)\S.*/isu,
        "$1$2(hidden)",
      )
      .replace(/<[^<>]*>/g, "<...>")
      .replace(/\([^()]*\)/g, "(...)")
      .replace(/'[^']*'|"[^"]*"/g, "'...'")
      .replace(
        /\b(user|ruser|orig_user|original_user|auth_user|cert_username)=(?!<\.\.\.>)\S*/g,
        "$1=...",
      )
      // From a word's beginning alone: every character of a long word would be tried otherwise.
      .replace(/(?<!\S)\S+@\S+/g, "...@...")
      .slice(0, LONGEST)
  );
}
