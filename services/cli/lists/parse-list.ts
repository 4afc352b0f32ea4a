/** Finds out in which format a list is, and reads its entries. */
import { parseNetwork } from "../../wire/address.ts";
import { parseBanned } from "../import/fail2ban-bans.ts";
import { readCsv } from "./csv.ts";
import {
  expectedAddress,
  namesAddress,
  readEntry,
  type Fields,
  type ListFormat,
  type ParsedList,
  type ReadEntry,
} from "./list-entry.ts";

/** `format` undefined: what the text looks like. */
export function parseList(text: string, format: ListFormat | undefined, now: number): ParsedList {
  const plain = text.replace(/^\ufeff/, "");
  switch (format ?? formatOf(plain)) {
    case "plain":
      return parsePlain(plain);
    case "csv":
      return parseCsv(plain, now);
    case "json":
      return parseJson(plain, now);
    case "fail2ban":
      return parseFail2ban(plain);
    case "cscli":
      return /^\s*[[{]/.test(plain) ? parseJson(plain, now) : parseCsv(plain, now);
  }
}

function formatOf(text: string): ListFormat {
  if (/^\s*\[\s*\{\s*'/.test(text)) return "fail2ban";
  if (/^\s*[[{]/.test(text)) return "json";
  const first = readCsv(text).next();
  const names = first.done ? [] : first.value.fields.map((name) => name.toLowerCase());
  return names.some(namesAddress) ? "csv" : "plain";
}

/** One address or network per line. The comment behind # or ; says why it is there. */
function parsePlain(text: string): ParsedList {
  const list: ParsedList = { entries: [], faults: [], passedOver: 0 };
  for (const [index, line] of text.split("\n").entries()) {
    const [, spelled = "", comment = ""] = /^([^#;]*)(?:[#;]+(.*))?$/.exec(line.trim()) ?? [];
    if (spelled.trim() === "") continue;
    const address = parseNetwork(spelled.trim());
    const reason = comment.trim().slice(0, 256);
    if (address !== undefined) list.entries.push({ address, ...(reason && { reason }) });
    else list.faults.push({ where: `line ${index + 1}`, reason: expectedAddress(spelled.trim()) });
  }
  return list;
}

function parseCsv(text: string, now: number): ParsedList {
  const list: ParsedList = { entries: [], faults: [], passedOver: 0 };
  const rows = readCsv(text);
  const head = rows.next();
  const names = head.done ? [] : head.value.fields.map((name) => name.toLowerCase().trim());
  if (!names.some(namesAddress)) {
    const reason = "expected a head with a column address or ip, such as address,jail,until,reason";
    list.faults.push({ where: "line 1", reason });
    return list;
  }
  for (const { line, fields } of rows) {
    const row = Object.fromEntries(names.map((name, index) => [name, fields[index] ?? ""]));
    add(list, `line ${line}`, readEntry(row, now));
  }
  return list;
}

/** A list of addresses or objects, or an object that holds one: ours, and cscli's alerts. */
function parseJson(text: string, now: number): ParsedList {
  const list: ParsedList = { entries: [], faults: [], passedOver: 0 };
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    list.faults.push({ where: "the document", reason: "expected JSON" });
    return list;
  }
  const found = listIn(document);
  if (!found) {
    const reason = 'expected a list, or an object with "bans", "allowed" or "decisions"';
    list.faults.push({ where: "the document", reason });
    return list;
  }
  for (const [index, each] of found.entries()) {
    const inner: readonly unknown[] = decisionsOf(each) ?? [each];
    for (const one of inner) add(list, `entry ${index + 1}`, readAny(one, now));
  }
  return list;
}

function listIn(document: unknown): readonly unknown[] | undefined {
  if (Array.isArray(document)) return document as unknown[];
  if (!isRecord(document)) return undefined;
  const lists = ["bans", "allowed", "decisions"].map((name) => document[name]);
  return lists.find((each): each is unknown[] => Array.isArray(each));
}

/** Of one of CrowdSec's alerts. undefined: it is none. */
function decisionsOf(value: unknown): readonly unknown[] | undefined {
  if (!isRecord(value) || !("decisions" in value)) return undefined;
  return Array.isArray(value["decisions"]) ? (value["decisions"] as unknown[]) : [];
}

function readAny(value: unknown, now: number): ReadEntry {
  if (typeof value === "string") return readEntry({ address: value }, now);
  if (isRecord(value)) return readEntry(value, now);
  return { type: "fault", reason: "expected an address, or an object with one" };
}

const isRecord = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parseFail2ban(text: string): ParsedList {
  const bans = parseBanned(text);
  if (bans === undefined) {
    const reason = "expected what fail2ban-client banned prints";
    return { entries: [], faults: [{ where: "the document", reason }], passedOver: 0 };
  }
  const entries = bans.map(({ jail, address }) => ({
    jail,
    address,
    reason: "banned by fail2ban",
  }));
  return { entries, faults: [], passedOver: 0 };
}

function add(list: ParsedList, where: string, read: ReadEntry): void {
  if (read.type === "entry") list.entries.push(read.entry);
  else if (read.type === "fault") list.faults.push({ where, reason: read.reason });
  else list.passedOver += 1;
}
