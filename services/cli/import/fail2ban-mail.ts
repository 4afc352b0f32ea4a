/**
 * Actions of fail2ban that send mail, as sinks of coordinator.yaml: sendmail-whois[dest=...], mail,
 * and what %(action_mw)s and %(action_mwl)s lead to. fleetban sends one mail for the whole fleet.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { MAIL_ADDRESS, MAIL_USER } from "../../config/mail-address.ts";
import { parseActions, type Action } from "./fail2ban-actions.ts";
import { readIni, valueOf } from "./ini.ts";
import type { Options } from "./jail-options.ts";

/** A sink as coordinator.yaml has it. */
export interface ImportedSink {
  name: string;
  type: "mail";
  to: string[];
  from: string;
  smtp: { host: string };
  /** Only where the mail is to be without it. */
  whois?: false;
  /** Only where it is not of all jails. */
  jails?: string[];
}

export interface MailAction {
  to: string[];
  from: string;
  whois: boolean;
}

/** sendmail, sendmail-whois-lines, mail-buffered ... */
const MAIL = /^(?:sendmail|mail)(?:-|$)/;
const SENDER = "root@<fq-hostname>";

export const isMailAction = ({ name }: Action): boolean => MAIL.test(name);

/** The mails that the bans of a jail are to send. */
export function mailsOf(folder: string, options: Options): MailAction[] {
  const actions = parseActions(options.valueOf("action")).filter(isMailAction);
  return actions.flatMap((action) => mailOf(folder, action, options) ?? []);
}

function mailOf(folder: string, action: Action, { note }: Options): MailAction | undefined {
  const { name } = action;
  const dest = valueFor(folder, action, "dest") ?? "root";
  const words = dest.split(/[\s,]+/).filter((word) => word !== "");
  const to = words.filter((word) => MAIL_ADDRESS.test(word) || MAIL_USER.test(word));
  for (const word of words.filter((each) => !to.includes(each))) {
    note("action", `${name}: dest=${word}: expected an address such as admin@example.org`);
  }
  if (to.length === 0) return undefined;
  if (/lines|matches/.test(name)) {
    note(
      "action",
      `${name}: log lines are not in the mail, fleetban failure list has the failures`,
    );
  }
  const sender = valueFor(folder, action, "sender") ?? SENDER;
  const from = MAIL_ADDRESS.test(sender) ? sender : `fleetban@${domainOf(to)}`;
  if (from !== sender && sender !== SENDER) {
    note("action", `${name}: sender=${sender}: expected an address, ${from} is taken`);
  }
  return { to, from, whois: /whois|geoip/.test(name) };
}

/** What stands in brackets, otherwise in the action's own file. */
function valueFor(folder: string, { name, parameters }: Action, option: string) {
  const given = parameters.get(option);
  if (given !== undefined && given !== "") return given;
  const path = join(folder, "action.d", `${name}.conf`);
  return existsSync(path) ? valueOf(readIni([path]), "Init", option) : undefined;
}

const domainOf = (to: readonly string[]): string =>
  to.find((each) => each.includes("@"))?.split("@")[1] ?? "localhost";

/** One sink for everybody who gets the same; `jails` are all that were carried over. */
export function sinksOf(
  jails: readonly { name: string; mails?: readonly MailAction[] }[],
): ImportedSink[] {
  const found = new Map<string, { mail: MailAction; jails: string[] }>();
  for (const { name, mails = [] } of jails) {
    for (const mail of mails) {
      const key = JSON.stringify(mail);
      const same = found.get(key) ?? { mail, jails: [] };
      found.set(key, { mail, jails: [...new Set([...same.jails, name])] });
    }
  }
  return [...found.values()].map(({ mail: { to, from, whois }, jails: names }, index) => ({
    name: index === 0 ? "mail" : `mail-${index + 1}`,
    type: "mail",
    ...{ to, from, smtp: { host: "localhost" } },
    ...(!whois && { whois: false as const }),
    ...(names.length < jails.length && { jails: names }),
  }));
}
