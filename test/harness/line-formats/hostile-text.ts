/**
 * Texts that try to be something else: the end of this line or of another one with a victim's
 * address in it, the beginning of one, a whole line, words that the parser looks for, text as long
 * as Dovecot lets it be.
 */
import { pick, type Choices } from "./choices.ts";
import { CLIENT_TEXTS } from "./client-text.ts";
import { chooseForgedFacts, VICTIMS } from "./facts.ts";
import { ENVELOPES, FORMATS } from "./format-table.ts";
import { chooseSkeleton, renderLine, renderMessage, type Skeleton } from "./message.ts";

const WORDS = [
  "x",
  "'",
  "(",
  ")",
  "): ",
  ")",
  ",",
  ", ",
  ">",
  "<",
  "]",
  " ",
  "  ",
  ": ",
  "?",
  "...",
  "user=<",
  ">, method=PLAIN",
  "method=PLAIN, ",
  "session=<",
  "rip=",
  ", rip=",
  ", lip=1.1.1.1",
  "rhost=",
  " rhost=",
  "  user=",
  " ruser=",
  ",master",
  ",sasl:plain)",
  ")<55>",
  "request [7]: ",
  "Info: ",
  "Debug: ",
  "Error: ",
  "unknown user",
  "Password mismatch",
  " (given password: ",
  " - trying the next passdb",
  "(username: ",
  "Username character disallowed by auth_username_chars: 0x20 (username: ",
  "(auth failed, 9 attempts in 1 secs)",
  " (auth_failed): ",
  "Login: ",
  "Logged in: ",
  "Disconnected: ",
  "imap-login: ",
  "auth: ",
  "auth-worker(7): ",
  "pam_unix(dovecot:auth): ",
  "message repeated 9 times: [ ",
  "dovecot: ",
  "\r",
  "\t",
  "\n",
  "\u0085",
  "\u2028",
  "\u202e",
  "\u00fc",
  "\x1b[0m",
] as const;

const PLAIN_PIECES = [...WORDS, ...VICTIMS, ...VICTIMS.map((victim) => `,${victim}): `)];

/** Text for one part of a line. */
export function chooseHostileText(part: string, of: Skeleton, choices: Choices): string {
  const limit = CLIENT_TEXTS[part]?.limit ?? 64;
  let text = "";
  // Sometimes nothing but words, which together say what a line says.
  if (choices.below(4) === 3) {
    for (let left = 1 + choices.below(6); left > 0; left -= 1) text += pick(choices, PLAIN_PIECES);
    return text;
  }
  const count = 1 + choices.below(4);
  for (let index = 0; index < count; index += 1) text += choosePiece(part, of, limit, choices);
  return text.slice(0, 8_000);
}

function choosePiece(part: string, of: Skeleton, limit: number, choices: Choices): string {
  switch (choices.below(8)) {
    case 0:
      return pick(choices, WORDS);
    case 1:
      return pick(choices, VICTIMS);
    case 2:
      return restOf(of, part, choices);
    case 3:
      return restOf(chooseForged(of, choices), part, choices);
    case 4:
      return sliceOf(choices.below(2) === 0 ? of : chooseForged(of, choices), choices);
    case 5:
      return wholeLine(chooseForged(of, choices), choices);
    case 6:
      return "a".repeat(choices.below(limit + 8));
    default:
      return String.fromCharCode(1 + choices.below(126));
  }
}

const ATTEMPTS = FORMATS.filter(({ truth }) => truth === "attempt");

/** Mostly a line that tells of an attempt; sometimes one of the same format. */
function chooseForged(of: Skeleton, choices: Choices): Skeleton {
  const format = choices.below(2) === 0 ? pick(choices, ATTEMPTS) : pick(choices, FORMATS);
  return choices.below(4) === 0 ? of : chooseSkeleton(format, choices);
}

/** What stands behind this part, with the victim's address: it ends the line too early. */
function restOf(skeleton: Skeleton, part: string, choices: Choices): string {
  const isOwnLog = choices.below(2) === 1;
  const { text, ends } = renderMessage(skeleton, chooseForgedFacts(choices), undefined, isOwnLog);
  const first = ends.get(part) ?? [...ends.values()][0] ?? 0;
  return text.slice(first);
}

/** A piece from one border of the format's parts, or of words, to another. */
function sliceOf(skeleton: Skeleton, choices: Choices): string {
  const isOwnLog = choices.below(2) === 1;
  const made = renderMessage(skeleton, chooseForgedFacts(choices), undefined, isOwnLog);
  const words = [...made.text.matchAll(/[(),:<> ]/g)].map(({ index }) => index);
  const borders = choices.below(2) === 0 ? made.borders : words;
  const from = borders.length === 0 ? 0 : pick(choices, borders);
  const to =
    choices.below(2) === 0 || borders.length === 0 ? made.text.length : pick(choices, borders);
  return from <= to ? made.text.slice(from, to) : made.text.slice(to, from);
}

function wholeLine(skeleton: Skeleton, choices: Choices): string {
  const facts = chooseForgedFacts(choices);
  if (choices.below(2) === 0) return renderMessage(skeleton, facts, undefined, false).text;
  return renderLine(skeleton, facts, undefined, pick(choices, ENVELOPES));
}
