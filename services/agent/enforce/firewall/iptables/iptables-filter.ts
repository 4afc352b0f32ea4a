/**
 * The filter table of one family, read and changed by one of iptables' programs. On a host without
 * IPv6 there is no such table of ip6tables, and nothing is missing.
 */
import type { Run } from "../command.ts";
import { parseTable, type Table } from "./iptables-table.ts";
import { hasIpv6, type Iptables } from "./iptables-variants.ts";

export interface Filter {
  isAbsent(): Promise<boolean>;
  /** The rules in force. */
  read(): Promise<Table>;
  /** Hands the lines to one `iptables-restore`, which does all of it or nothing. */
  change(lines: readonly string[]): Promise<void>;
}

/** `program` is the family's iptables, or the one of its variants that it does not stand for. */
export function createFilter(program: string, iptables: Iptables, run: Run): Filter {
  let absent: Promise<boolean> | undefined;
  const isAbsent = () =>
    (absent ??= iptables === "ip6tables" ? hasIpv6(run).then((is) => !is) : Promise.resolve(false));

  return {
    isAbsent,
    read: async () => parseTable(await run(program, ["-w", "-S"])),
    async change(lines) {
      if (lines.length === 0 || (await isAbsent())) return;
      const script = ["*filter", ...lines, "COMMIT", ""].join("\n");
      await run(`${program}-restore`, ["-w", "--noflush"], script);
    },
  };
}
