/** A journal of its own, in a folder: written by systemd's own program, read by journalctl. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

const WRITER = "/lib/systemd/systemd-journal-remote";
/** For tests: `test(name, { skip: needsJournal }, ...)`. */
export const needsJournal = existsSync(WRITER) ? false : "needs systemd-journal-remote";

export interface Entries {
  /** The file of the journal that they are added to. */
  file?: string;
  /** Which boot of the machine they are of. */
  boot?: string;
  unit?: string;
  /** More fields, or others in place of those that they have. */
  fields?: Readonly<Record<string, string>>;
}

let written = 0;

/** Adds an entry for every message. */
export async function writeJournal(
  directory: string,
  messages: readonly string[],
  {
    file = "remote-a.journal",
    boot = "2f1c6f4ca7b84bbb9f0cb15d7f1f4f11",
    unit = "dovecot.service",
    fields = {},
  }: Entries = {},
): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const child = spawn(WRITER, [`--output=${join(directory, file)}`, "-"], {
    stdio: ["pipe", "ignore", "ignore"],
  });
  for (const message of messages) {
    written += 1;
    // systemd's journal export format: a field with bytes of any kind has its length before it.
    const text = Buffer.from(message);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    const all = {
      __REALTIME_TIMESTAMP: (Date.now() * 1000 + written).toString(),
      _BOOT_ID: boot,
      ...{ _SYSTEMD_UNIT: unit, SYSLOG_IDENTIFIER: "dovecot", ...fields },
    };
    for (const [name, value] of Object.entries(all)) child.stdin.write(`${name}=${value}\n`);
    child.stdin.write(Buffer.concat([Buffer.from("MESSAGE\n"), length, text, Buffer.from("\n\n")]));
  }
  child.stdin.end();
  const [code] = (await once(child, "close")) as [number];
  if (code !== 0) throw new Error(`systemd-journal-remote: exit ${code}`);
}
