/**
 * Whois (RFC 3912): a question and an answer in plain text on port 43. IANA's server refers to the
 * registry of an address (`refer:`), and ARIN's to another registry (`ReferralServer:`).
 *
 * A server is trusted with nothing: an answer is cut at 64 kB, and a referral leads to a public name
 * on port 43 only, so that no answer makes the coordinator ask a machine of its own network.
 */
import { connect } from "node:net";
import type { Address } from "../../../wire/address.ts";
import { factsFrom, type AddressFacts } from "./address-facts.ts";

const MOST_BYTES = 65_536;
const PORT = 43;
const MOST_REFERRALS = 3;
/** A name with a dot, whose last part is no number. */
const PUBLIC_NAME = /^(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/i;
const LOOPBACK = /^127(?:\.\d+){3}$/;

export interface WhoisServer {
  host: string;
  port: number;
}

/** "whois.iana.org", "127.0.0.1:4343". */
export function parseWhoisServer(text: string): WhoisServer {
  const [host = "", port = String(PORT)] = text.split(":");
  return { host, port: Number(port) };
}

export interface WhoisOptions {
  first: WhoisServer;
  withinMs: number;
  /** Waits until this server may be asked. */
  turn: (server: string) => Promise<void>;
}

/** Throws where no server answers within `withinMs` each; what was known by then is lost. */
export async function askWhois(address: Address, options: WhoisOptions): Promise<AddressFacts> {
  const [base = ""] = address.split("/");
  let server: WhoisServer | undefined = options.first;
  let facts: AddressFacts = {};
  for (let asked = 0; server && asked <= MOST_REFERRALS; asked += 1) {
    await options.turn(`${server.host}:${server.port}`);
    // ARIN answers with a list of networks unless it is told what is asked for.
    const question = server.host === "whois.arin.net" ? `n + ${base}` : base;
    const text = await ask(server, question, options.withinMs);
    facts = factsFrom(readAnswer(text), facts);
    server = referralIn(text, options.first);
  }
  return facts;
}

function ask({ host, port }: WhoisServer, question: string, withinMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const chunks: Buffer[] = [];
    let bytes = 0;
    const finish = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(Buffer.concat(chunks).subarray(0, MOST_BYTES).toString());
    };
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`${host} does not answer within ${withinMs / 1000} s`));
    }, withinMs);
    socket.once("connect", () => socket.write(`${question}\r\n`));
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= MOST_BYTES) finish();
    });
    socket.once("end", finish);
    socket.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

/** A referral to this machine is followed only where the first server is on this machine, too. */
function referralIn(text: string, first: WhoisServer): WhoisServer | undefined {
  const [, host = "", port = String(PORT)] =
    /^(?:refer|ReferralServer|whois): +(?:r?whois:\/\/)?([\w.-]{1,253})(?::(\d{1,5}))?\s*$/im.exec(
      text,
    ) ?? [];
  if (LOOPBACK.test(host) && LOOPBACK.test(first.host)) return { host, port: Number(port) };
  return PUBLIC_NAME.test(host) && port === String(PORT) ? { host, port: PORT } : undefined;
}

/** The names that registries give to what we show. */
const KEYS: Readonly<Record<keyof AddressFacts, readonly string[]>> = {
  country: ["country"],
  asn: ["origin", "originas"],
  network: ["inetnum", "inet6num", "netrange", "cidr"],
  name: ["netname"],
  owner: ["org-name", "orgname", "organization", "owner", "descr"],
  abuse: ["abuse-mailbox", "orgabuseemail"],
};

function readAnswer(text: string): AddressFacts {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon < 1 || line.startsWith("%") || line.startsWith("#")) continue;
    const key = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (value !== "" && !values.has(key)) values.set(key, value);
  }
  const found = (keys: readonly string[]) => values.get(keys.find((key) => values.has(key)) ?? "");
  return factsFrom({
    country: found(KEYS.country),
    asn: found(KEYS.asn),
    network: found(KEYS.network),
    name: found(KEYS.name),
    owner: found(KEYS.owner),
    abuse: found(KEYS.abuse),
  });
}
