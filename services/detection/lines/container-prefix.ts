/**
 * The table of what names a container in front of its line, each under its sample.
 */
export interface Prefix {
  /** The container's name, as the line has it. */
  container: string;
  /** Where the container's own line begins. */
  end: number;
}

const LONGEST = 1_000;
const ESCAPE = "\u001b";
/** Colors, where the output was a terminal. */
const COLOR = String.raw`(?:\x1b\[[\d;]{0,12}m)?`;

// mailserver  | Mar  3 ...; mail_dovecot.1.x7k2m9p0qwer@node1    | ...; [mailserver] | ...
// A name has a letter: `2026-03-03 | 04:05:06 ` is a stamp.
const BAR = new RegExp(
  String.raw`^${COLOR}\[?(?=[\d_.@-]{0,199}[A-Za-z])([\w.@-]{1,200})\]? {0,64}${COLOR}\|${COLOR} `,
);
// [pod/dovecot-0/dovecot] Mar 03 ...: the container's name stands behind the pod's.
const POD = new RegExp(String.raw`^${COLOR}\[pod\/[\w.-]{1,253}\/([\w.-]{1,253})\]${COLOR} `);
// dovecot-0 dovecot Mar 03 ...; mail dovecot-0 dovecot 2026-03-03T...: stern, with --all-namespaces
// Behind it stands a stamp or a process of Dovecot, which tells it from a host and a program.
const WORD = String.raw`[a-z][a-z0-9.-]{0,252}`;
const LINE = String.raw`(?=[A-Z0-9@[{<]|(?:[a-z0-9]{1,16}-login|auth|auth-worker)[:(])`;
const STERN = new RegExp(
  `^${COLOR}(?:${WORD}${COLOR} ${COLOR})?[a-z][a-z0-9]{0,62}[.-][a-z0-9.-]{1,200}${COLOR} ${COLOR}(${WORD})${COLOR} ${LINE}`,
);

/** The container that a line names in front of everything else; undefined: it names none. */
export function readContainerPrefix(text: string): Prefix | undefined {
  const head = text.slice(0, LONGEST);
  if (head.startsWith("[pod/") || head.startsWith(ESCAPE)) {
    const pod = POD.exec(head);
    if (pod) return { container: pod[1] ?? "", end: pod[0].length };
  }
  const bar = BAR.exec(head);
  if (bar) return { container: bar[1] ?? "", end: bar[0].length };
  const stern = STERN.exec(head);
  return stern ? { container: stern[1] ?? "", end: stern[0].length } : undefined;
}
