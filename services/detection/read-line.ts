/** What one line of any log says of Dovecot's authentication, taken alone. */
import { isDovecotProgram, openEnvelope } from "./envelope.ts";
import { readAuthLine } from "./auth-line.ts";
import { readLoginLine } from "./login-line.ts";
import { readPamLine } from "./pam-line.ts";
import { NOTHING, type Reading } from "./reading.ts";

export interface ReadLine extends Reading {
  /** When it was written, epoch milliseconds; undefined: nothing says. */
  at: number | undefined;
  /** How many such events it stands for. */
  repeat: number;
}

/** A longer line is looked at by nobody; a journal's JSON around a message takes a few kB. */
export const MAX_LINE_BYTES = 65_536;
/** A longer message is none of Dovecot's: it cuts names at 128 bytes, passwords at 1024. */
const MAX_MESSAGE_LENGTH = 8_192;

/** `receivedAt` (epoch milliseconds) tells the year of a stamp that has none. */
export function readLine(line: string, receivedAt: number): ReadLine {
  if (line.length > MAX_LINE_BYTES) return { ...NOTHING, at: undefined, repeat: 1 };
  const { at, program, text, repeat } = openEnvelope(line, receivedAt);
  return { ...readMessage(text, program), at, repeat };
}

function readMessage(text: string, program: string | undefined): Reading {
  if (program !== undefined && !isDovecotProgram(program)) return NOTHING;
  if (text.length > MAX_MESSAGE_LENGTH) return NOTHING;
  const pam = readPamLine(text, program);
  if (pam) return pam;
  // As these, PAM alone writes; `auth: auth: ...` would be somebody's forgery.
  if (program === "auth" || program === "auth-worker" || program === "PAM-warn") return NOTHING;
  return readLoginLine(text) ?? readAuthLine(text) ?? NOTHING;
}
