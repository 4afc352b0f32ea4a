/** A jail as answers show it: its options in sentences, and what operators have set of it. */
import { jailSentences } from "../../policy/jail-sentences.ts";
import { periodAt } from "../../policy/jail-pause.ts";
import type { JailRow } from "../../wire/api.ts";
import { shownJail, type Jail } from "../../wire/settings.ts";
import { compareWithFile } from "../decide/applied-settings.ts";
import type { ApiContext } from "./api-context.ts";

type Parts = Pick<ApiContext, "reload" | "jailSettings" | "pauses" | "now">;

const LONGEST_FAULT = 500;

export function jailRowOf(parts: Parts, jail: Jail): JailRow {
  return {
    jail: shownJail.parse(jail),
    sentences: jailSentences(jail),
    ...(jail.decoys && { decoyCount: jail.decoys.length }),
    ...settingsOf(parts, jail.name),
    ...pauseOf(parts, jail.name),
  };
}

function settingsOf({ reload, jailSettings }: Parts, name: string): Pick<JailRow, "settings"> {
  const all = jailSettings.list();
  const own = all.filter(({ jail }) => jail === name);
  if (own.length === 0) return {};
  const file = reload.config().jails;
  return {
    settings: own.map((setting) => {
      const { inFile, fault } = compareWithFile(file, all, setting);
      return {
        ...{ setting, inFile },
        ...(fault !== undefined && { fault: fault.slice(0, LONGEST_FAULT) }),
      };
    }),
  };
}

function pauseOf({ pauses, now }: Parts, name: string): Pick<JailRow, "pause"> {
  const pause = pauses.of(name);
  const period = pause && periodAt(pause, now());
  if (!period) return {};
  const { from: since, until } = period;
  return { pause: { since, until, by: pause.by, reason: pause.reason } };
}
