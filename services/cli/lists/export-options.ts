/** Options that lists share which are written for other programs. */
import { Option, type Command } from "commander";
import { UsageError } from "../arguments.ts";
import { canAggregate, WRITTEN_FORMATS, type WrittenFormat } from "./write-list.ts";

export interface ExportOptions {
  format?: WrittenFormat;
  aggregate?: true;
}

export function addExportOptions(command: Command, usual: string): Command {
  return command
    .addOption(
      new Option("--format <format>", `how it is written (default: ${usual})`).choices(
        WRITTEN_FORMATS,
      ),
    )
    .option("--aggregate", "join neighbours into the fewest networks; their ends are not kept");
}

/** Throws a UsageError where the format keeps more than addresses. */
export function checkAggregate(where: string, format: WrittenFormat, aggregates: boolean): void {
  if (!aggregates || canAggregate(format)) return;
  const those = WRITTEN_FORMATS.filter(canAggregate).join(", ");
  throw new UsageError(`${where}: --aggregate: expected it with --format ${those}`);
}

export const FORMATS_HELP = `
Formats: plain, cidr (each with its prefix), nginx (deny lines to include),
haproxy (a file for acl -f), postscreen (a cidr table for
postscreen_access_list), mikrotik (a script that replaces an address list).
csv, json, fail2ban and cscli (for cscli decisions import) keep more than the
addresses.
`;
