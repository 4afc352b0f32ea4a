/**
 * The actions of operators besides bans, read from the settings bucket: changes of the allowlist,
 * and hosts put into quarantine. Every change of a ban is on record by itself.
 */
import type { JsMsg } from "@nats-io/jetstream";
import type { PrismaClient } from "../../../prisma/client/client.ts";
import type { AuditRow } from "../../wire/api.ts";
import type { AllowedPlace } from "../../policy/allowlist.ts";
import { decodeSetting, type Setting } from "../../wire/settings.ts";
import {
  placeOfAllowKey,
  hostOfQuarantineKey,
  REMOVED_BY_HEADER,
  SETTINGS_BUCKET,
} from "../../wire/subjects.ts";
import { storedAtOf } from "../decide/clock-correction.ts";

export interface Audited extends AuditRow {
  key: string;
}

const PREFIX = `$KV.${SETTINGS_BUCKET}.`;

/** undefined: that is nothing that an operator or a configuration has done. Throws a WireError. */
export function decodeAudited(message: JsMsg): Audited | undefined {
  const key = message.subject.slice(PREFIX.length);
  const said = message.headers?.get("KV-Operation")
    ? removed(key, message.headers.get(REMOVED_BY_HEADER))
    : done(key, decodeSetting(message.data, key));
  return said && { ...said, key, at: storedAtOf(message) };
}

type Said = Pick<AuditRow, "by" | "action" | "detail">;

function removed(key: string, by: string): Said | undefined {
  const place = placeOfAllowKey(key);
  if (!place) return undefined;
  return { by: readName(by), action: "allow remove", detail: nameAllowed(place) };
}

/** "198.51.100.7 in jail dovecot". */
const nameAllowed = ({ address, jail }: AllowedPlace): string =>
  jail === undefined ? address : `${address} in jail ${jail}`;

function done(key: string, setting: Setting): Said | undefined {
  switch (setting.type) {
    case "allowed": {
      const { comment, by } = setting.entry;
      const place = nameAllowed(setting.entry);
      const detail = comment === "" ? place : `${place}: ${comment}`;
      return { by, action: "allow add", detail };
    }
    case "quarantine": {
      const { until, by, reason } = setting.quarantine;
      const host = hostOfQuarantineKey(key) ?? key;
      if (until !== null) return { by, action: "host quarantine --undo", detail: host };
      return { by, action: "host quarantine", detail: reason === "" ? host : `${host}: ${reason}` };
    }
    case "resend": {
      const { by, since } = setting.resend;
      const detail = since === undefined ? "" : `: since ${new Date(since).toISOString()}`;
      return { by, action: "notify resend", detail: `${setting.sink}${detail}` };
    }
    case "reload": {
      const { by, coordinator, detail, policyVersion } = setting.reload;
      const version = policyVersion === undefined ? "" : ` (policy version ${policyVersion})`;
      return { by, action: "jail reload", detail: `${coordinator}: ${detail}${version}` };
    }
    case "drill":
      return { by: setting.drill.by, action: "drill", detail: setting.host };
    case "jail":
    case "leader":
    case "machine":
    case "ready":
    case "refused-policy":
    case "duplicate-agents":
    case "other":
      return undefined; // nobody has commanded it
  }
}

/** Entries that a configuration no longer has, and those that go with NATS's tools, name nobody. */
function readName(encoded: string): string {
  if (encoded === "") return "config";
  try {
    return decodeURIComponent(encoded).slice(0, 256);
  } catch {
    return "config";
  }
}

export async function insertAudited(
  prisma: PrismaClient,
  audited: readonly Audited[],
): Promise<void> {
  if (audited.length === 0) return;
  await prisma.audit.createMany({
    data: audited.map(({ key, at, by, action, detail }) => {
      return { key, at: new Date(at), by, action, detail };
    }),
    skipDuplicates: true,
  });
}
