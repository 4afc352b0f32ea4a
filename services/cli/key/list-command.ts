/** `fleetban key list`: the users with credentials, and when the credentials expire. */
import { Command } from "commander";
import { JSON_OPTION } from "../context.ts";
import type { Cell } from "../table.ts";
import { formatInstant, zoneOf } from "../time.ts";
import { readRevocations } from "./identity.ts";
import { readIssued } from "./issued.ts";
import type { KeyContext } from "./key.ts";
import { openKeyFolder, type KeyFolder } from "./key-folder.ts";
import { dirOption, type FolderOption } from "./options.ts";
import { certificateUntil, readServers } from "./server-files.ts";

interface Row {
  role: string;
  name: string;
  state: "valid" | "expired" | "revoked";
  /** ISO 8601; null: for a server, or never. */
  at: string | null;
  until: string | null;
  key: string | null;
}

export function listCommand({ output, now }: KeyContext): Command {
  return new Command("list")
    .description("credentials and certificates that were made, and until when they hold")
    .addOption(dirOption())
    .option(...JSON_OPTION)
    .action(async ({ dir, json }: FolderOption) => {
      const rows = rowsOf(openKeyFolder(dir), now());
      if (json) await output.jsonLine({ keys: rows });
      else if (rows.length === 0) output.line("nobody has credentials yet");
      else output.table([headOf(now()), ...rows.map(describe)]);
    });
}

function rowsOf(folder: KeyFolder, now: number): Row[] {
  const revocations = readRevocations(folder);
  const isOver = (until: string | null) => until !== null && Date.parse(until) <= now;
  const credentials = readIssued(folder).map(({ role, name, key, at, until }): Row => {
    const held = isOver(until) ? "expired" : "valid";
    return { role, name, state: key in revocations ? "revoked" : held, at, until, key };
  });
  const servers = readServers(folder).map(({ name }): Row => {
    const until = new Date(certificateUntil(folder, name)).toISOString();
    const state = isOver(until) ? "expired" : "valid";
    return { role: "server", name, state, at: null, until, key: null };
  });
  return [...servers, ...credentials];
}

const headOf = (now: number) => ["ROLE", "NAME", "STATE", `MADE (${zoneOf(now)})`, "UNTIL"];

function describe({ role, name, state, at, until }: Row): Cell[] {
  const shown: Cell = { text: state, color: state === "valid" ? "green" : "red" };
  return [role, name, shown, shownTime(at) ?? "-", shownTime(until) ?? "never"];
}

function shownTime(iso: string | null): string | undefined {
  return iso === null ? undefined : formatInstant(Date.parse(iso));
}
