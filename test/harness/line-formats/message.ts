/** Makes messages and lines of formats. */
import { CLIENT_TEXTS, cutBytes, type ClientText } from "./client-text.ts";
import { pick, type Choices } from "./choices.ts";
import type { Envelope, Format, Level } from "./format-table.ts";

/** What is true of a line. */
export interface Facts {
  rip: string;
  lip: string;
  session: string;
  pid: string;
  n: string;
  attempts: string;
}

/** A client's texts, by the part of the format that they stand in. */
export type Texts = Readonly<Record<string, string>>;

/** A format of which every list is chosen; only facts and clients' texts are open. */
export interface Skeleton {
  format: Format;
  /** Text and names of parts in turn: text, name, text, name, text. */
  parts: readonly string[];
  /** Names of the client's texts in it. */
  clientParts: readonly string[];
  hasAddress: boolean;
}

export function chooseSkeleton(format: Format, choices: Choices): Skeleton {
  const parts: string[] = [""];
  if (format.layout === undefined) append(parts, format.text, format, choices);
  else append(parts, `{${format.layout}}`, format, choices);
  const names = parts.filter((_, index) => index % 2 === 1);
  const clientParts = [...new Set(names.filter((name) => name in CLIENT_TEXTS))];
  return { format, parts, clientParts, hasAddress: names.includes("rip") };
}

/** Appends a text; where it names a list, one of the list's texts, in which a list may be named. */
function append(parts: string[], text: string, format: Format, choices: Choices): void {
  for (const [index, part] of partsOf(text).entries()) {
    const list = index % 2 === 0 ? undefined : format.lists.get(part);
    if (list) append(parts, pick(choices, list), format, choices);
    else if (index % 2 === 1 && part === "message") append(parts, format.text, format, choices);
    else if (index % 2 === 1) parts.push(part, "");
    else parts[parts.length - 1] = `${parts.at(-1)}${part}`;
  }
}

/** Text and names in turn. The same few texts are taken apart again and again. */
function partsOf(text: string): readonly string[] {
  const known = PARTS.get(text);
  if (known) return known;
  const parts = text.replaceAll("{}", "").split(/\{([a-z0-9-]+)\}/);
  PARTS.set(text, parts);
  return parts;
}
const PARTS = new Map<string, readonly string[]>();

export interface Message {
  text: string;
  /** Where parts of the format begin and end. */
  borders: readonly number[];
  /** Where each of the client's texts ends first. */
  ends: ReadonlyMap<string, number>;
}

const spellClientText = ({ plain, print }: ClientText, text: string | undefined): string =>
  text === undefined ? plain : print(text);

/** A client's text that `texts` does not have is plain. In Dovecot's own log every level is named. */
export function renderMessage(
  { format, parts }: Skeleton,
  facts: Facts,
  texts: Texts | undefined,
  isOwnLog: boolean,
): Message {
  let text = "";
  const borders: number[] = [];
  const ends = new Map<string, number>();
  for (const [index, part] of parts.entries()) {
    if (index % 2 === 0) {
      text += part;
      continue;
    }
    borders.push(text.length);
    const client = CLIENT_TEXTS[part];
    if (part === "level") text += spellLevel(format.level, isOwnLog);
    else if (client) text += spellClientText(client, texts?.[part]);
    else text += part in facts ? facts[part as keyof Facts] : missing(format.name, part);
    borders.push(text.length);
    if (client && !ends.has(part)) ends.set(part, text.length);
  }
  return { text, borders, ends };
}

function missing(name: string, part: string): never {
  throw new Error(`${name}: there is no list and no fact named ${part}`);
}

/** Dovecot's syslog names all levels but this one. */
function spellLevel(level: Level, isOwnLog: boolean): string {
  if (level === "info") return isOwnLog ? "Info: " : "";
  if (level === "notice") return "";
  return `${level.charAt(0).toUpperCase()}${level.slice(1)}: `;
}

const PROGRAMS: Readonly<Record<string, string>> = {
  pam: "auth",
  "pam-tagged": "dovecot(pam_unix)",
};

/** `<22>Mar  3 04:05:06 dovecot: `: BusyBox reads 255 bytes of it and what follows. */
const busyboxLimit = (program: string): number =>
  255 - "<22>Mar  3 04:05:06 : ".length - program.length;

/** `isShortened`: BusyBox's syslogd has cut the message. */
export function renderLine(
  skeleton: Skeleton,
  facts: Facts,
  texts: Texts | undefined,
  envelope: Envelope,
  isShortened = false,
): string {
  const program = PROGRAMS[skeleton.format.version] ?? "dovecot";
  const message = renderMessage(skeleton, facts, texts, envelope.isOwnLog).text;
  const text = isShortened ? cutBytes(message, busyboxLimit(program)) : message;
  // rsyslog spells controls in octal; a file of Dovecot's own holds them as they are.
  const shown = text.replaceAll(
    /[\0-\x1f\x7f]/g,
    (control) => `#${control.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
  const values: Readonly<Record<string, string>> = {
    program,
    pid: facts.pid,
    stamp: "Mar  3 04:05:06",
    message: shown,
    own: text,
    json: JSON.stringify(text).slice(1, -1),
    "own-json": JSON.stringify(text).slice(1, -1),
  };
  return envelope.text.replaceAll(/\{([a-z-]+)\}/g, (whole, name: string) => values[name] ?? whole);
}
