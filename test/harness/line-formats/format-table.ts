/** Reads the table of formats, `test/corpus/formats`; its README says what the files hold. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

export type Version = "2.3" | "2.4" | "pam" | "pam-tagged";
export type Level = "debug" | "info" | "notice" | "warning" | "error";
export type Truth = "attempt" | "none" | "open" | "forged";

export interface Format {
  /** File and line of the table, `auth-2.3.txt:104`. */
  name: string;
  version: Version;
  level: Level;
  truth: Truth;
  /** The name of the list that holds the layouts; undefined: the text is a whole message. */
  layout: string | undefined;
  text: string;
  /** The lists of texts that its file declares. */
  lists: Lists;
}
export type Lists = ReadonlyMap<string, readonly string[]>;

export interface Envelope {
  text: string;
  /** Only processes of Dovecot's own write in it. */
  isOwnLog: boolean;
}

const FOLDER = resolve(import.meta.dirname, "../../corpus/formats");
const FILES = ["auth-2.3.txt", "auth-2.4.txt", "login.txt", "pam.txt"];
const GROUP =
  /^## (2\.3|2\.4|pam|pam-tagged) (debug|info|notice|warning|error) (attempt|none|open|forged)/;

export const FORMATS: readonly Format[] = FILES.flatMap(readFormats);
export const ENVELOPES: readonly Envelope[] = readEnvelopes();

/** The lines of a file in order, each below the heading that it belongs to. */
function* entriesOf(file: string) {
  let heading = "";
  const lines = readFileSync(join(FOLDER, file), "utf8").split("\n");
  for (const [index, text] of lines.entries()) {
    if (text.startsWith("## ") || text.startsWith(":")) heading = text;
    else if (text !== "" && !text.startsWith("# ")) yield { heading, text, number: index + 1 };
  }
}

function readLists(file: string): Lists {
  const lists = new Map<string, string[]>();
  for (const { heading, text } of entriesOf(file)) {
    if (!heading.startsWith(":")) continue;
    const name = heading.slice(1);
    lists.set(name, [...(lists.get(name) ?? []), text]);
  }
  return lists;
}

function readFormats(file: string): Format[] {
  const lists = readLists(file);
  const formats: Format[] = [];
  for (const { heading, text, number } of entriesOf(file)) {
    if (heading.startsWith(":")) continue;
    const group = GROUP.exec(heading);
    if (!group) throw new Error(`${file}:${number}: "${heading}" is no heading of a group`);
    formats.push({
      name: `${file}:${number}`,
      version: group[1] as Version,
      level: group[2] as Level,
      truth: group[3] as Truth,
      layout: heading.slice(group[0].length).trim() || undefined,
      text,
      lists,
    });
  }
  return formats;
}

function readEnvelopes(): Envelope[] {
  return [...entriesOf("envelopes.txt")]
    .filter(({ heading }) => heading.startsWith("## "))
    .map(({ heading, text }) => ({ text, isOwnLog: heading === "## Dovecot alone" }));
}
