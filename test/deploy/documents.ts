/**
 * The commands of a document, as a reader pastes them. A block of commands is fenced as `sh`, and
 * the paragraph above it says where it is pasted: "On your machine:", "On `centre`:".
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");

export interface Block {
  /** "your machine", or the name of a machine. */
  where: string;
  commands: string;
}

/** All blocks of one section of a document, up to the next heading of its level or a higher one. */
export function readBlocks(document: string, heading: string): Block[] {
  const blocks: Block[] = [];
  let level: number | undefined; // of the section; undefined: it has not begun
  let paragraph = "";
  let where: string | undefined;
  let commands: string[] | undefined; // of the block that has begun
  for (const line of readFileSync(join(ROOT, document), "utf8").split("\n")) {
    const text = line.trimStart(); // a list indents its blocks
    const [, marks, title] = (commands ? null : HEADING.exec(line)) ?? [];
    if (marks !== undefined) {
      if (level !== undefined && marks.length <= level) break;
      if (title === heading) level = marks.length;
    } else if (level === undefined) continue;
    else if (commands === undefined) {
      if (text === "```sh") commands = [];
      paragraph = text === "" ? "" : `${paragraph} ${text}`;
      where = WHERE.exec(paragraph)?.slice(1).find(Boolean) ?? where;
    } else if (text !== "```") commands.push(line);
    else {
      if (where === undefined) throw new Error(`${document}, ${heading}: where is this pasted?`);
      blocks.push({ where, commands: commands.join("\n") });
      commands = undefined;
    }
  }
  if (blocks.length === 0) throw new Error(`${document}: has no commands below "${heading}"`);
  return blocks;
}

/** The headings of all sections that have blocks of their own. */
export function readSections(document: string): string[] {
  const headings: string[] = [];
  let heading = "";
  for (const line of readFileSync(join(ROOT, document), "utf8").split("\n")) {
    heading = /^#+ (.*)$/.exec(line)?.[1] ?? heading;
    if (line.trimStart() === "```sh" && headings.at(-1) !== heading) headings.push(heading);
  }
  return headings;
}

const HEADING = /^(#+) (.*)$/;
/** "On your machine:", "Then, on `mx1`:"; the last of them counts. */
const WHERE = /.*\b[Oo]n (?:`([a-z0-9]+)`|(your machine))[^`]*:$/;
