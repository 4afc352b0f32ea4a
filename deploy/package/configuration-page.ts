/**
 * docs/configuration.md, made from the examples of deploy/examples, which the packages install.
 *
 * An option of an example is a line `name: value`, or `#name: value` where the option has no
 * default. The comment lines above the option explain it. `npm run docs` writes the page.
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { formatted } from "./formatted.ts";

const EXAMPLES = resolve(import.meta.dirname, "../examples");
export const CONFIGURATION_PAGE = resolve(import.meta.dirname, "../../docs/configuration.md");

const FILES = [
  { file: "agent.yaml", title: "agent.yaml: the agent of a mail host" },
  { file: "coordinator.yaml", title: "coordinator.yaml: the coordinator" },
  { file: "client.yaml", title: "client.yaml: the CLI" },
] as const;

const INTRODUCTION = `<!-- Made from deploy/examples by \`npm run docs\`. Change the examples, not this page. -->

# Configuration

Every option of fleetban's three programs, with its default and what it is for. The files
in [deploy/examples](../deploy/examples) hold the same as YAML; the packages install them below
\`/usr/share/doc\`. A jail is called \`NAME\` here, because you choose its name.

A program without a configuration file runs with the defaults. A wrong configuration ends it with exit
code 78, and names all faults at once. The check changes nothing:

\`\`\`sh
fleetban-agent check --config-only
fleetban-coordinator check --config-only
\`\`\`
`;

export interface Option {
  /** "firewall.chains". */
  path: string;
  /** The value as the example writes it; empty: the option holds other options. */
  value: string;
  /** The example shows a value, but nothing holds without the option. */
  hasDefault: boolean;
  /** The comment above the option, in one line. */
  comment: string;
}

/** The page as it must stand in docs/, laid out as every other document. */
export function configurationPage(): string {
  const sections = FILES.map(({ file, title }) => {
    const options = optionsOf(readFileSync(join(EXAMPLES, file), "utf8"));
    return [`## ${title}`, ...options.map(describe)].join("\n\n");
  });
  return formatted([INTRODUCTION, ...sections].join("\n"), CONFIGURATION_PAGE);
}

/** Options of an example, in its order; those that only hold others are left out. */
export function optionsOf(example: string): Option[] {
  const options: Option[] = [];
  /** The names above the present line, with their indentation. */
  let parents: { indent: number; name: string }[] = [];
  let comment: string[] = [];
  for (const line of example.split("\n")) {
    const [, words] = /^ *# (.*)$/.exec(line) ?? [];
    if (words !== undefined) {
      comment.push(words);
      continue;
    }
    const [, blanks = "", item, mark, name, value = ""] = OPTION.exec(line) ?? [];
    if (name !== undefined) {
      const indent = blanks.length + (item?.length ?? 0);
      parents = parents.filter((parent) => parent.indent < indent);
      const path = [...parents.map((parent) => parent.name), name].join(".");
      if (value === "") parents.push({ indent, name });
      else
        options.push({ path, value, hasDefault: mark === undefined, comment: comment.join(" ") });
    }
    comment = [];
  }
  return options;
}

/** `  - name: value`, `  #name: value`; an example of a whole item, `#- { ... }`, is no option. */
const OPTION = /^( *)(- )?(#)?([a-zA-Z][\w]*):(?: +(\S.*))?$/;

function describe({ path, value, hasDefault, comment }: Option): string {
  const name = path.replace("jails.dovecot.", "jails.NAME.");
  // A comment may name a default that no value in a file can show, such as the machine's name.
  const none = comment.includes("Default:") ? "" : "Default: none. ";
  const standard = hasDefault ? `Default: \`${value}\`.` : `${none}Example: \`${value}\`.`;
  return `### ${name}\n\n${standard}\n\n${escape(comment)}`;
}

const escape = (text: string) => text.replaceAll("<", "&lt;").replaceAll("*", "\\*");
