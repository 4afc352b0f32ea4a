/** `fleetban import fail2ban`: the configuration that somebody has, as fleetban's; asks no server. */
import { Command } from "commander";
import { Document, isCollection } from "yaml";
import { EXIT, PlainError } from "../../daemon/exit.ts";
import type { Output } from "../output.ts";
import { quote } from "../visible.ts";
import { importFail2ban, type ImportedFail2ban, type ImportedJail } from "./fail2ban-jails.ts";

export function importCommand({ output }: { output: Output }): Command {
  const fail2ban = new Command("fail2ban")
    .description("print the jails of an /etc/fail2ban as fleetban's; needs no server")
    .argument("[dir]", "where its jail.conf is", "/etc/fail2ban")
    .option("--json", "print the answer as one JSON document")
    .addHelpText("after", MORE)
    .action(async (folder: string, { json }: { json?: true }) => {
      const imported = importFail2ban(folder);
      if (!imported) {
        const reason = "expected a jail.conf, a jail.local or files in jail.d, got none";
        throw new PlainError(`import: ${quote(folder)}: ${reason}`, EXIT.noInput);
      }
      if (json) await output.jsonLine(imported);
      else for (const line of tell(imported, folder)) output.line(line);
    });
  return new Command("import")
    .description("take over another tool's configuration")
    .addCommand(fail2ban);
}

function* tell({ jails, allowlist, notes }: ImportedFail2ban, folder: string): Generator<string> {
  const usable = jails.filter(({ settings }) => settings !== undefined);
  yield `# From ${folder}: ${usable.length} of ${jails.length} enabled jails. Lines behind ! were not carried over.`;
  yield "";
  yield "# coordinator.yaml";
  for (const note of notes) yield `# ! ${note}`;
  if (allowlist.length > 0) yield* textOf(new Document({ allowlist }));
  if (usable.length > 0) yield "jails:";
  for (const jail of jails) yield* tellJail(jail);
  yield "";
  yield "---";
  yield "# agent.yaml, on each host that has these logs";
  const sources = usable.flatMap((jail) =>
    jail.sources.map((source) => ({ ...source, jail: jail.name })),
  );
  if (sources.length > 0) yield* textOf(new Document({ sources }));
}

function* tellJail({ name, origin, settings, notes }: ImportedJail): Generator<string> {
  if (name !== origin || settings === undefined) yield `  # jail ${origin}`;
  for (const note of notes) for (const line of `! ${note}`.split("\n")) yield `  # ${line}`;
  if (!settings) return;
  const { rules, ...numbers } = settings;
  // As a text of several lines, as it stands in fail2ban's own files.
  const expressions = rules && {
    ...rules,
    failregex: rules.failregex.join("\n"),
    ...(rules.ignoreregex && { ignoreregex: rules.ignoreregex.join("\n") }),
  };
  const document = new Document({ jails: { [name]: { ...numbers, ...expressions } } });
  const ports = document.getIn(["jails", name, "ports"], true);
  if (isCollection(ports)) ports.flow = true;
  yield* textOf(document).slice(1);
}

function textOf(document: Document): string[] {
  return document.toString({ lineWidth: 0, flowCollectionPadding: false }).trimEnd().split("\n");
}

const MORE = `
Reads jail.conf, jail.local, jail.d and filter.d with what they include, and prints two
documents: the jails for coordinator.yaml and the sources for agent.yaml. What could not be
carried over is said where it was.

Example:
  fleetban import fail2ban /etc/fail2ban > fleetban.yaml
`;
