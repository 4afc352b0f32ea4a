/** A journal of its own, in a folder: written by systemd's own program, read by journalctl. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

const WRITER = "/lib/systemd/systemd-journal-remote";
/** For tests: `test(name, { skip: needsJournal }, ...)`. */
export const needsJournal = existsSync(WRITER) ? false : "needs systemd-journal-remote";

/** Any boot's. */
const BOOT = "2f1c6f4ca7b84bbb9f0cb15d7f1f4f11";
let written = 0;

/** Adds entries of `unit` to the journal's file `file`. */
export async function writeJournal(
  directory: string,
  messages: readonly string[],
  { unit = "dovecot.service", file = "remote-a.journal" } = {},
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
    const fields = `_BOOT_ID=${BOOT}\n_SYSTEMD_UNIT=${unit}\nSYSLOG_IDENTIFIER=dovecot\n`;
    child.stdin.write(
      `__REALTIME_TIMESTAMP=${(Date.now() * 1000 + written).toString()}\n${fields}`,
    );
    child.stdin.write(Buffer.concat([Buffer.from("MESSAGE\n"), length, text, Buffer.from("\n\n")]));
  }
  child.stdin.end();
  const [code] = (await once(child, "close")) as [number];
  if (code !== 0) throw new Error(`systemd-journal-remote: exit ${code}`);
}
