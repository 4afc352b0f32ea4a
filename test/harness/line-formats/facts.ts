/** Who is true in a line, and who is the victim whose address a forger puts into his text. */
import { isIPv4 } from "node:net";
import { pick, type Choices } from "./choices.ts";
import type { Facts } from "./message.ts";

const CLIENTS = ["198.51.100.7", "198.51.100.58", "2001:db8::7", "2001:db8:0:1::58"];
export const VICTIMS = ["9.9.9.9", "2001:db8:bad::9"];

export function chooseFacts(choices: Choices): Facts {
  const rip = pick(choices, CLIENTS);
  // One in eight sessions was named by a proxy in front, and says nothing of the address.
  const session = choices.below(8) === 7 ? "p7-5f2c-mx2.example.org" : sessionOf(rip, choices);
  return {
    rip,
    lip: "203.0.113.25",
    session,
    pid: String(100 + choices.below(400_000)),
    n: String(1 + choices.below(20)),
    attempts: String(1 + choices.below(12)),
  };
}

/** A forger knows how sessions are made, and makes one of the victim's. */
export function chooseForgedFacts(choices: Choices): Facts {
  const rip = pick(choices, VICTIMS);
  return { ...chooseFacts(choices), rip, session: sessionOf(rip, choices) };
}

/** Dovecot's session: base64 of 6 bytes of time, 2 of port, and the address. */
function sessionOf(address: string, choices: Choices): string {
  const head = Array.from({ length: 8 }, () => choices.below(256));
  return Buffer.from([...head, ...bytesOf(address)]).toString("base64");
}

function bytesOf(address: string): number[] {
  if (isIPv4(address)) return address.split(".").map(Number);
  const [before = [], after = []] = address
    .split("::")
    .map((half) => half.split(":").filter(Boolean));
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
  return [...before, ...zeros, ...after]
    .map((group) => Number.parseInt(group, 16))
    .flatMap((word) => [word >> 8, word & 255]);
}
