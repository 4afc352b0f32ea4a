/** The options of one jail, and notes on what is not carried over of them, with their place. */
import { isOfAll, placeOf, unresolved, valueOf, within, type Ini } from "./ini.ts";

export interface Options {
  /** Resolved; "" where there is none. */
  valueOf: (option: string) => string;
  /** Something is not carried over because of this option. */
  note: (option: string, text: string) => void;
}

export interface OptionsFrom {
  ini: Ini;
  folder: string;
  jail: string;
  /** Of this jail. */
  notes: string[];
  /** Of what is said once for all jails. */
  notesOfAll: Set<string>;
}

export function optionsOf({ ini, folder, jail, notes, notesOfAll }: OptionsFrom): Options {
  const read = new Map<string, string>();
  const options: Options = {
    valueOf(option) {
      const known = read.get(option);
      if (known !== undefined) return known;
      const value = valueOf(ini, jail, option)?.trim() ?? "";
      read.set(option, value);
      const unknown = unresolved(value);
      if (unknown !== undefined) options.note(option, `${unknown} has no value`);
      return value;
    },
    note(option, text) {
      const place = placeOf(ini, jail, option);
      const what = text.startsWith(option) ? text : `${option}: ${text}`;
      const said = place === undefined ? what : `${within(folder, place)}: ${what}`;
      if (place !== undefined && isOfAll(ini, jail, option)) notesOfAll.add(said);
      else notes.push(said);
    },
  };
  return options;
}
