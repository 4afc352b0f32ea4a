/**
 * The jails of coordinator.yaml with the options that operators have set. What does not fit the file
 * of this coordinator is idle: it changes nothing, and is a warning.
 */
import type { Jail, JailSetting } from "../../wire/settings.ts";
import { changeBetween } from "../../policy/jail-at.ts";
import { warn, type Warning } from "../../wire/warnings.ts";
import { keyOf } from "../buckets/jail-settings.ts";
import { jailOf, setJailOption, spellJailOption, type JailOptions } from "../jail-config.ts";

/** A setting that does not fit the file of this coordinator, and changes nothing. */
export interface IdleSetting {
  setting: JailSetting;
  faults: readonly string[];
}

export interface AppliedSettings {
  jails: Jail[];
  /** The same with what they become when settings end, for hosts that are alone then. */
  published: Jail[];
  idle: IdleSetting[];
}

/** The jails of the file with what operators have set. */
export function applySettings(
  file: Readonly<Record<string, JailOptions>>,
  settings: readonly JailSetting[],
): AppliedSettings {
  const idle: IdleSetting[] = settings
    .filter(({ jail }) => !Object.hasOwn(file, jail))
    .map((setting) => ({ setting, faults: [`there is no jail ${setting.jail}`] }));
  const jails: Jail[] = [];
  const published: Jail[] = [];
  for (const [name, options] of Object.entries(file)) {
    const own = settings.filter(({ jail }) => jail === name);
    const applied = applyTo(name, options, own);
    idle.push(...applied.idle);
    jails.push(applied.jail);
    published.push(withLater(applied.jail, options, own));
  }
  return { jails, published, idle };
}

/** One after the other: a setting that does not fit the file and those before it is idle. */
function applyTo(
  name: string,
  file: JailOptions,
  settings: readonly JailSetting[],
): { jail: Jail; idle: IdleSetting[] } {
  const idle: IdleSetting[] = [];
  let options = file;
  for (const setting of settings) {
    const next = setJailOption(name, options, setting);
    if ("value" in next) options = next.value;
    else idle.push({ setting, faults: next.faults });
  }
  return { jail: jailOf(name, options), idle };
}

function withLater(jail: Jail, file: JailOptions, settings: readonly JailSetting[]): Jail {
  const ends = new Set(settings.flatMap(({ until }) => until ?? []));
  let before = jail;
  const later = [...ends]
    .sort((a, b) => a - b)
    .map((at) => {
      const rest = settings.filter(({ until = Infinity }) => until > at);
      const { jail: after } = applyTo(jail.name, file, rest);
      const change = changeBetween(before, after, at);
      before = after;
      return change;
    });
  return later.length === 0 ? jail : { ...jail, later };
}

/** Why a setting beside `settings` would be refused; none: it would not. */
export function faultsOfSetting(
  file: Readonly<Record<string, JailOptions>>,
  settings: readonly JailSetting[],
  wanted: JailSetting,
): readonly string[] {
  const others = settings.filter((each) => keyOf(each) !== keyOf(wanted));
  const { idle } = applySettings(file, [...others, wanted]);
  return idle.find(({ setting }) => setting === wanted)?.faults ?? [];
}

/** What the file says in place of the setting, and why it changes nothing where it does not. */
export function compareWithFile(
  file: Readonly<Record<string, JailOptions>>,
  settings: readonly JailSetting[],
  setting: JailSetting,
): { inFile: string; fault: string | undefined } {
  const options = file[setting.jail];
  const [fault] = faultsOfSetting(file, settings, setting);
  return { inFile: options ? spellJailOption(options, setting.option) : "no such jail", fault };
}

export const warnOfIdle = ({ setting, faults }: IdleSetting): Warning => {
  const { jail, option, value, by } = setting;
  const facts = { jail, option, value, by, reason: faults[0] ?? "" };
  return warn("jail-setting-idle", facts, `${jail}.${option}`);
};
