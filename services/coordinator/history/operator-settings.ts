/**
 * Settings of operators besides the allowlist: options of jails, paused jails and hosts in
 * quarantine. They are on record for the case that NATS loses its storage.
 */
import type { JsMsg } from "@nats-io/jetstream";
import type { PrismaClient } from "../../../prisma/client/client.ts";
import { decodeSetting, writtenAtOf } from "../../wire/settings.ts";
import { SETTINGS_BUCKET } from "../../wire/subjects.ts";
import type { Settings } from "../buckets/settings-store.ts";

/** An entry of the settings bucket; `value` as NATS has it. */
export interface OperatorSetting {
  key: string;
  value: string;
}

/** `value` is undefined where the entry was deleted. */
export type OperatorSettingChange = Pick<OperatorSetting, "key"> & { value: string | undefined };

const PREFIX = `$KV.${SETTINGS_BUCKET}.`;
const KINDS = ["jail-setting.", "jail-pause.", "quarantine."];

/** undefined: nothing to record. Throws a WireError. */
export function decodeOperatorSetting(
  message: Pick<JsMsg, "subject" | "data" | "headers">,
): OperatorSettingChange | undefined {
  const key = message.subject.slice(PREFIX.length);
  if (!KINDS.some((kind) => key.startsWith(kind))) return undefined;
  if (message.headers?.get("KV-Operation")) return { key, value: undefined };
  decodeSetting(message.data, key);
  return { key, value: Buffer.from(message.data).toString() };
}

/** In their order; there are few. */
export async function applyOperatorSettings(
  prisma: PrismaClient,
  changes: readonly OperatorSettingChange[],
): Promise<void> {
  for (const { key, value } of changes) {
    if (value === undefined) await prisma.operatorSetting.deleteMany({ where: { key } });
    else {
      await prisma.operatorSetting.upsert({
        where: { key },
        create: { key, value },
        update: { value },
      });
    }
  }
}

export const findOperatorSettings = (prisma: PrismaClient): Promise<OperatorSetting[]> =>
  prisma.operatorSetting.findMany();

/** Writes what is on record where the bucket does not have it, or has an older state of it. */
export async function restoreOlderSettings(
  recorded: readonly OperatorSetting[],
  settings: Pick<Settings, "write">,
): Promise<void> {
  for (const { key, value } of recorded) {
    const bytes = Buffer.from(value);
    const writtenAt = writtenAtOf(decodeSetting(bytes, key));
    await settings.write(key, bytes, (present) => writtenAtOf(present) >= writtenAt);
  }
}
