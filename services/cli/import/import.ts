/** `fleetban import fail2ban`: the configuration that somebody has, as fleetban's own, and the bans there. */
import { Command } from "commander";
import { Document, isCollection } from "yaml";
import { EXIT, PlainError } from "../../process/exit.ts";
import type { Context } from "../context.ts";
import { quote } from "../visible.ts";
import { carryBans } from "./carry-bans.ts";
import { readFail2banBans } from "./fail2ban-bans.ts";
import { importFail2ban, type ImportedFail2ban, type ImportedJail } from "./fail2ban-jails.ts";

interface ImportOptions {
  json?: true;
  bans?: string;
}

export function importCommand(context: Context): Command {
  const { output, now } = context;
  const fail2ban = new Command("fail2ban")
    .description("print the jails of an /etc/fail2ban as fleetban's")
    .argument("[dir]", "where its jail.conf is", "/etc/fail2ban")
    .option("--bans <file>", "also ban in the fleet whom fail2ban bans now; asks the coordinator")
    .option("--json", "print the answer as one JSON document")
    .addHelpText("after", MORE)
    .action(async (folder: string, { json, bans }: ImportOptions) => {
      const bansThere = bans === undefined ? undefined : readFail2banBans(bans, now());
      const imported = importFail2ban(folder);
      if (!imported) {
        const reason = "expected a jail.conf, a jail.local or files in jail.d, got none";
        throw new PlainError(`import: ${quote(folder)}: ${reason}`, EXIT.noInput);
      }
      if (json) await output.jsonLine(imported);
      else for (const line of tell(imported, folder)) output.literal(line);
      if (bansThere) await carryBans(context, bansThere, imported.jails);
    });
  return new Command("import")
    .description("take over another tool's configuration")
    .addCommand(fail2ban);
}

function* tell(
  { jails, allowlist, dbpurgeage, sinks, notes }: ImportedFail2ban,
  folder: string,
): Generator<string> {
  const usable = jails.filter(({ settings }) => settings !== undefined);
  yield `# From ${folder}: ${usable.length} of ${jails.length} enabled jails. Lines behind ! were not carried over.`;
  yield "";
  yield "# coordinator.yaml";
  for (const note of notes) yield `# ! ${note}`;
  if (allowlist.length > 0) yield* textOf(allowlistDocument(allowlist));
  if (dbpurgeage !== undefined) yield* textOf(new Document({ dbpurgeage }));
  if (sinks.length > 0) yield* textOf(new Document({ notify: { sinks } }));
  if (usable.length > 0) yield "jails:";
  for (const jail of jails) yield* tellJail(jail);
  yield "";
  yield "---";
  yield "# agent.yaml, on each host that has these logs";
  const sources = usable.flatMap((jail) =>
    jail.sources.map((source) => ({ ...source, jail: jail.name })),
  );
  if (usable.some(({ chains }) => chains !== undefined)) {
    const chains = new Set(usable.flatMap((jail) => jail.chains ?? ["INPUT"]));
    yield* textOf(new Document({ firewall: { chains: [...chains] } }));
  }
  if (sources.length > 0) yield* textOf(new Document({ sources }));
}

/** An entry stands in one line. */
function allowlistDocument(allowlist: ImportedFail2ban["allowlist"]): Document {
  const document = new Document({ allowlist });
  for (const index of allowlist.keys()) {
    const entry = document.getIn(["allowlist", index], true);
    if (isCollection(entry)) entry.flow = true;
  }
  return document;
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
documents: the jails and the mails of their bans for coordinator.yaml, and the sources for agent.yaml. What could not be
carried over is said where it was.

--bans takes fail2ban's database, or what "fail2ban-client banned" has printed. Each ban goes to the
jail of the same name, which the coordinator must have by then, for the time that is left of it.

Examples:
  fleetban import fail2ban /etc/fail2ban > fleetban.yaml
  fleetban import fail2ban --bans /var/lib/fail2ban/fail2ban.sqlite3 > fleetban.yaml
`;
