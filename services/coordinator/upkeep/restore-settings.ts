/** Brings back what NATS has lost of what operators have set: the allowlist, and settings of jails. */
import { encodeAllowed } from "../../wire/settings.ts";
import { allowKey } from "../../wire/subjects.ts";
import type { Settings } from "../buckets/settings-store.ts";
import type { History } from "../history/history.ts";
import { restoreOlderSettings } from "../history/operator-settings.ts";

export interface RestoreSettingsOptions {
  settings: Pick<Settings, "allow" | "restore" | "write">;
  history: Pick<History, "allowlist" | "operatorSettings">;
}

/**
 * The record is some moments behind: an operator may have removed meanwhile what it still has. So
 * only what the bucket never had is written, unless the bucket itself is older than the record.
 */
export async function restoreSettings(
  { settings, history }: RestoreSettingsOptions,
  isRolledBack: boolean,
): Promise<void> {
  const allowed = await history.allowlist();
  const operatorSettings = await history.operatorSettings();
  if (isRolledBack) {
    for (const entry of allowed) await settings.allow(entry);
    await restoreOlderSettings(operatorSettings, settings);
    return;
  }
  for (const entry of allowed) await settings.restore(allowKey(entry), encodeAllowed(entry));
  for (const { key, value } of operatorSettings) {
    await settings.restore(key, Buffer.from(value));
  }
}
