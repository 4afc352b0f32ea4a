/** The line of a drill, as Dovecot 2.3 writes it through syslog. */
import { open } from "node:fs/promises";
import { constants } from "node:fs";
import type { Drill } from "../../wire/drill.ts";

export interface DrillLine {
  path: string;
  host: string;
  drill: Drill;
  onAttempt: (how: string) => void;
}

/** Appends it to a log that is there; never makes one. */
export async function appendDrillLine({ path, host, drill, onAttempt }: DrillLine): Promise<void> {
  const { user, address, attempts, id } = drill;
  const stamp = new Date().toISOString().replace("Z", "000+00:00");
  const reason = `Disconnected: Connection closed (auth failed, ${attempts} attempts in 2 secs)`;
  const session = id.replaceAll("-", "").slice(0, 16);
  const elements = `user=<${user}>, method=PLAIN, rip=${address}, lip=127.0.0.1, TLS, session=<${session}>`;
  const file = await open(path, constants.O_WRONLY | constants.O_APPEND);
  try {
    onAttempt(`a line appended to ${path}, because no mail server listens here`);
    await file.write(`${stamp} ${host} dovecot: imap-login: ${reason}: ${elements}\n`);
  } finally {
    await file.close();
  }
}
