/**
 * Ends the sessions of the web page that were opened with revoked credentials: notes the keys in the
 * page's own bucket, where every coordinator sees them at once, and one that is down when it starts.
 */
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { findStream } from "../../nats/find-stream.ts";
import { EXIT, PlainError } from "../../process/exit.ts";
import { reasonOf } from "../../process/reason.ts";
import { isAskerRole } from "../../wire/askers.ts";
import { revokedKey, WEB_BUCKET } from "../../wire/subjects.ts";
import { encodeWebEntry } from "../../wire/web-sessions.ts";
import { visible } from "../visible.ts";
import { issueForRevocation, readRevocations } from "./identity.ts";
import { readIssued } from "./issued.ts";
import type { KeyFolder } from "./key-folder.ts";
import { openFleet } from "./push.ts";

/** `urls`: where the NATS servers are. May be repeated. Throws a PlainError if sessions may go on. */
export async function endWebSessions(
  folder: KeyFolder,
  urls: string | undefined,
  now: number,
): Promise<void> {
  const keys = revokedAskers(folder);
  if (keys.length === 0) return;
  const connection = await openFleet(folder, urls, await issueForRevocation(folder, now));
  try {
    const manager = await jetstreamManager(connection, { checkAPI: false });
    // Without the bucket there is no web page, and no session.
    if (!(await findStream(manager, `KV_${WEB_BUCKET}`))) return;
    const entry = encodeWebEntry({ v: 1, type: "revoked", at: now });
    for (const key of keys) {
      await jetstream(connection).publish(`$KV.${WEB_BUCKET}.${revokedKey(key)}`, entry);
    }
  } catch (cause) {
    const text = `the credentials are revoked, but sessions of the web page may go on: ${reasonOf(cause)}`;
    const remedy = `fleetban key push --dir ${folder.path}`;
    throw new PlainError(visible(`${text}; ${remedy} ends them`), EXIT.unavailable, { cause });
  } finally {
    await connection.close();
  }
}

/** The public keys of people whose credentials are revoked. */
function revokedAskers(folder: KeyFolder): string[] {
  const revocations = readRevocations(folder);
  return readIssued(folder)
    .filter(({ role, key }) => isAskerRole(role) && key in revocations)
    .map(({ key }) => key);
}
