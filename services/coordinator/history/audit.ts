/**
 * The actions of operators besides bans, read from the settings bucket: changes of the allowlist,
 * and hosts put into quarantine. Every change of a ban is on record by itself.
 */
import type { JsMsg } from "@nats-io/jetstream";
import type { MsgHdrs } from "@nats-io/nats-core";
import type { PrismaClient } from "../../../prisma/client/client.ts";
import type { AuditRow } from "../../wire/api.ts";
import { endOfPause, isResumed } from "../../policy/jail-pause.ts";
import type { AllowedPlace } from "../../policy/allowlist.ts";
import { decodeSetting, type Setting } from "../../wire/settings.ts";
import {
  placeOfAllowKey,
  hostOfDrillKey,
  hostOfQuarantineKey,
  jailOfPauseKey,
  REMOVED_BECAUSE_HEADER,
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
    ? removed(key, message.headers)
    : done(key, decodeSetting(message.data, key));
  return said && { at: storedAtOf(message), ...said, key };
}

/** `at`: when it was done, also where NATS has stored it again because it had lost it. */
type Said = Pick<AuditRow, "by" | "action" | "detail"> & Partial<Pick<AuditRow, "at">>;

function removed(key: string, headers: MsgHdrs): Said | undefined {
  const drilled = hostOfDrillKey(key);
  if (drilled !== undefined) {
    const operator = readHeader(headers, REMOVED_BY_HEADER);
    return operator === "" ? undefined : { by: operator, action: "drill", detail: drilled };
  }
  // Entries that a configuration no longer has, and those that go with NATS's tools, name nobody.
  const by = readHeader(headers, REMOVED_BY_HEADER) || "config";
  const [kind, jail, ...option] = key.split(".");
  if (kind === "jail-setting") {
    return { by, action: "jail unset", detail: `${jail}: ${option.join(".")}` };
  }
  const place = placeOfAllowKey(key);
  if (!place) return undefined;
  const reason = readHeader(headers, REMOVED_BECAUSE_HEADER);
  const detail = reason === "" ? nameAllowed(place) : `${nameAllowed(place)}: ${reason}`;
  return { by, action: "allow remove", detail };
}

/** "198.51.100.7 in jail dovecot". */
const nameAllowed = ({ address, jail }: AllowedPlace): string =>
  jail === undefined ? address : `${address} in jail ${jail}`;

function done(key: string, setting: Setting): Said | undefined {
  switch (setting.type) {
    case "allowed": {
      const { comment, by, addedAt: at } = setting.entry;
      const place = nameAllowed(setting.entry);
      const detail = comment === "" ? place : `${place}: ${comment}`;
      return { by, action: "allow add", detail, at };
    }
    case "quarantine": {
      const { until, by, reason } = setting.quarantine;
      const host = hostOfQuarantineKey(key) ?? key;
      if (until !== null) return { by, action: "host quarantine --undo", detail: host, at: until };
      const detail = reason === "" ? host : `${host}: ${reason}`;
      return { by, action: "host quarantine", detail, at: setting.quarantine.since };
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
    case "jail-setting": {
      const { jail, option, value, by, at, until } = setting.setting;
      return {
        by,
        action: "jail set",
        detail: `${jail}: ${option} ${value}${spellEnd(until)}`,
        at,
      };
    }
    case "jail-pause": {
      const { by, reason, at } = setting.pause;
      const jail = jailOfPauseKey(key) ?? key;
      if (isResumed(setting.pause)) return { by, action: "jail resume", detail: jail, at };
      const end = spellEnd(endOfPause(setting.pause) ?? undefined);
      return { by, action: "jail pause", detail: `${jail}${end}${reason && `: ${reason}`}`, at };
    }
    case "jail":
    case "leader":
    case "machine":
    case "broken-logins":
    case "roll-call":
    case "ready":
    case "refused-policy":
    case "duplicate-agents":
    case "other":
      return undefined; // nobody has commanded it
    case "drill":
      return undefined; // its end is on record: the entry may be gone before it is read
  }
}

const spellEnd = (until: number | undefined): string =>
  until === undefined ? "" : ` until ${new Date(until).toISOString()}`;

/** Empty: there is no such header, or nobody of ours has written it. */
function readHeader(headers: MsgHdrs, name: string): string {
  try {
    return decodeURIComponent(headers.get(name)).slice(0, 256);
  } catch {
    return "";
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
