/** Ban, unban, and how each of them is taken back. */
import type { Client } from "../api/client.ts";
import type { Ban, Reach } from "../api/messages.ts";
import type { Notice } from "../app-context.ts";
import { describeReach, faultsOf, isBanned, type ChangeWord } from "../text/ban-words.ts";
import { count } from "../text/numbers.ts";

/** As long the hosts have time to report before the answer comes. */
const WAIT_MS = 10_000;
const LONGEST_REASON = 256;

export interface BanOrder {
  address: string;
  jail: string;
  /** null: for ever; undefined: the jail's bantime. */
  seconds: number | null | undefined;
  reason: string;
}

export async function ban(client: Client, order: BanOrder): Promise<Notice> {
  const { address, jail, seconds, reason } = order;
  const question = { jail, address, all: false, limit: 100, after: null };
  const { bans } = await client.ask("ban.list", question);
  const before = bans.find((each) => each.address === address && isBanned(each, Date.now()));
  const { changed, reach } = await client.ask("ban.add", {
    ...{ address, jail, reason, replace: false, wait: WAIT_MS },
    ...(seconds !== undefined && { seconds }),
  });
  if (!changed) {
    return { kind: "done", text: `${address} is banned in ${jail} for as long already` };
  }
  return {
    ...noticeOf(`${address} is banned in ${jail}`, reach, "in force"),
    undo: {
      label: "Undo",
      run: () => (before ? putBack(client, before, reason) : takeBack(client, order)),
    },
  };
}

async function takeBack(client: Client, { address, jail, reason }: BanOrder): Promise<string> {
  const { reach } = await client.ask("ban.remove", {
    ...{ address, jail, reason: undone(reason), immunity: 0, wait: WAIT_MS },
  });
  return `the ban of ${address} is undone${withReach(reach, "lifted")}`;
}

/** The ban as it was, until the same end. */
async function putBack(client: Client, before: Ban, reason: string): Promise<string> {
  const { address, jail, until } = before;
  const seconds = secondsUntil(until);
  const { reach } = await client.ask("ban.add", {
    ...{ address, jail, seconds, reason: undone(reason), replace: true, wait: WAIT_MS },
  });
  return `${address} is banned as before${withReach(reach, "in force")}`;
}

export interface UnbanOrder {
  address: string;
  /** undefined: in every jail. */
  jail: string | undefined;
  /** Seconds for which the address is also allowed; undefined: it is not. */
  allowSeconds: number | undefined;
  reason: string;
}

/** `mayUndo`: may whoever has lifted the ban ban the address again? */
export async function unban(client: Client, order: UnbanOrder, mayUndo: boolean): Promise<Notice> {
  const { address, jail, allowSeconds, reason } = order;
  const {
    bans,
    covered = [],
    reach,
  } = await client.ask("ban.remove", {
    ...{ address, reason, wait: WAIT_MS },
    ...(jail !== undefined && { jail }),
  });
  let allowed = "";
  if (allowSeconds !== undefined) {
    const entry = { address, comment: reason, seconds: allowSeconds };
    await client.ask("allow.add", entry);
    allowed = " and allowed for a day";
  }
  const notice = noticeOf(`${address} is unbanned${allowed}`, reach, "lifted");
  const around = covered.map((each) => `still banned: ${each.address} in ${each.jail}`);
  return {
    ...notice,
    faults: [...(notice.faults ?? []), ...(allowSeconds === undefined ? around : [])],
    ...(mayUndo && {
      undo: { label: "Undo", run: () => banAgain(client, bans, order) },
    }),
  };
}

async function banAgain(
  client: Client,
  lifted: readonly Ban[],
  { address, allowSeconds, reason }: UnbanOrder,
): Promise<string> {
  if (allowSeconds !== undefined) {
    await client.ask("allow.remove", { address, reason: undone(reason) });
  }
  let reach: Reach | null = null;
  const due = lifted.filter(({ until }) => until === null || Date.parse(until) > Date.now());
  for (const { address: banned, jail, until } of due) {
    const seconds = secondsUntil(until);
    const order = { address: banned, jail, seconds, reason: undone(reason), replace: false };
    ({ reach } = await client.ask("ban.add", { ...order, wait: WAIT_MS }));
  }
  return `${count(due.length, "ban")} of ${address} ${due.length === 1 ? "is" : "are"} back${withReach(reach, "in force")}`;
}

export const undone = (reason: string): string => `undone: ${reason}`.slice(0, LONGEST_REASON);

/** At least a second, which the API wants; null: for ever. */
const secondsUntil = (until: string | null): number | null =>
  until === null ? null : Math.max(Math.round((Date.parse(until) - Date.now()) / 1000), 1);

function noticeOf(text: string, reach: Reach | null, word: ChangeWord): Notice {
  if (!reach) return { kind: "done", text };
  return { kind: "done", text: text + withReach(reach, word), faults: faultsOf(reach) };
}

const withReach = (reach: Reach | null, word: ChangeWord): string =>
  reach ? `: ${describeReach(reach, word)}` : "";
