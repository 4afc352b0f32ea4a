/** `fleetban backup [FILE]`: what coordinators have decided and operators have set, as one JSON document. */
import { Command } from "commander";
import * as z from "zod";
import { listAllowed } from "../allow-list.ts";
import type { Context } from "../context.ts";
import { listHosts } from "../list-hosts.ts";
import { listJails } from "../list-jails.ts";
import { readPages } from "../pages.ts";
import { count } from "../../config/count.ts";
import { visibleJson } from "../visible.ts";
import { writePrivately } from "../write-privately.ts";
import type { Ban } from "../../wire/ban.ts";
import { backupFile, type BackupFile } from "./backup-file.ts";

export function backupCommand(context: Context): Command {
  const { output } = context;
  return new Command("backup")
    .description("write bans, allowlist and what operators have set as one JSON document")
    .argument("[file]", "a new file, for its owner alone (default: stdout)")
    .addHelpText("after", MORE)
    .action(async (file: string | undefined) => {
      const backup = await makeBackup(context);
      const document = visibleJson(z.encode(backupFile, backup));
      if (file === undefined) {
        await output.literals(document.split("\n"));
        return;
      }
      await writePrivately("backup", file, `${document}\n`);
      const { bans, allowed, quarantines, jailSettings, pauses } = backup;
      const parts = [
        count(bans.length, "ban"),
        `${count(allowed.length, "entry", "entries")} of the allowlist`,
        count(quarantines.length, "quarantine"),
        count(jailSettings.length, "jail setting"),
        count(pauses.length, "pause"),
      ];
      output.line(`${file}: ${parts.join(", ")}`);
    });
}

async function makeBackup(context: Context): Promise<BackupFile> {
  const { version, at } = await context.ask("ping.show", {});
  const [inForce, held] = [await listBans(context, false), await listBans(context, true)];
  // A ban in force whose widening is held is in both lists.
  const bans = new Map([...inForce, ...held].map((ban) => [`${ban.jail} ${ban.address}`, ban]));
  const allowed = (await listAllowed(context)).filter(({ origin }) => origin === "operator");
  const { hosts } = await listHosts(context);
  const { jails } = await listJails(context);
  return {
    ...{ fleetban: "backup", v: 1, madeAt: at, version },
    ...{ bans: [...bans.values()], allowed },
    quarantines: hosts.flatMap(({ host, quarantine }) =>
      quarantine?.until === null ? [{ host, quarantine }] : [],
    ),
    jails: jails.map(({ jail }) => jail),
    jailSettings: jails.flatMap(({ settings = [] }) => settings.map(({ setting }) => setting)),
    pauses: jails.flatMap(({ jail, pause }) =>
      pause ? [{ jail: jail.name, until: pause.until, reason: pause.reason }] : [],
    ),
  };
}

/** In force and in shadow jails; or held. */
async function listBans({ ask }: Context, held: boolean): Promise<Ban[]> {
  const { bans } = await readPages("bans", Infinity, (page) =>
    ask("ban.list", { all: false, held, ...page }),
  );
  return bans;
}

const MORE = `
Jails are in the document to compare: they come from coordinator.yaml, which
needs a copy of its own, as PostgreSQL does, which has the record.

Examples:
  fleetban backup fleet.json
  fleetban backup | gzip > fleet.json.gz
`;
