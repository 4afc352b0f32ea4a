/** What is left of a line when everything is taken off that a logging system put around it. */
import type { StampClock, WrittenAt } from "./timestamp.ts";
import type { Writers } from "./writers.ts";

export interface Message {
  /** When the message was written; undefined: nothing says. */
  written: WrittenAt | undefined;
  /**
   * The program's name as syslog has it, without its process id; undefined where there is none, as in
   * Dovecot's own log.
   */
  program: string | undefined;
  /** What the program itself wrote. */
  text: string;
  /** How many such events the line stands for. */
  repeat: number;
  /** The line names another program or container than Dovecot as the one that wrote the message. */
  isForeign: boolean;
}

/** What the layers that are already taken off say of the message in them. */
export interface Outer extends Pick<Message, "written" | "program" | "isForeign"> {
  /** How many layers are taken off. */
  readonly depth: number;
}

export const NOTHING_KNOWN: Outer = {
  written: undefined,
  program: undefined,
  isForeign: false,
  depth: 0,
};

/** How the layers of one line are opened. */
export interface Opening {
  readonly clock: StampClock;
  readonly writers: Writers;
  /** Opens what a layer has in it, where that may be a line of any kind. */
  openLine(text: string, outer: Outer, opening: Opening): Message;
}

/** `message repeated 4 times: [ ...]`: rsyslog writes it in place of that many further events. */
const REPEATED = /^message repeated (\d{1,6}) times: \[ /;

export function messageOf(text: string, { written, program, isForeign }: Outer): Message {
  if (text.startsWith("message repeated ") && text.endsWith("]")) {
    const match = REPEATED.exec(text.slice(0, 48));
    if (match) {
      const inner = text.slice(match[0].length, -1);
      return { written, program, text: inner, repeat: Number(match[1]), isForeign };
    }
  }
  return { written, program, text, repeat: 1, isForeign };
}
