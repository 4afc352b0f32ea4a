import type { Address } from "../../wire/address.ts";
import type { Hold } from "./hold.ts";

/** As the wire has it: no line stands for more attempts. */
export const MAX_ATTEMPTS = 1000;

/** Failed attempts that one line added to what was counted before. */
export interface Failure {
  address: Address;
  /** When, by the line's own stamp; epoch milliseconds. */
  at: number;
  /** At least 1; of one that is held, before anything is taken back: see `attemptsOf`. */
  attempts: number;
  user: string | undefined;
  service: string | undefined;
  session: string | undefined;
  /** Name of the line's form. */
  form: string;
  /** Where its line ends in its source; 0 where nobody needs to know. */
  position: number;
  /** It may have to be taken back. */
  hold: Hold | undefined;
}

/** What is left of its attempts; 0: it was none after all. */
export function attemptsOf({ attempts, hold }: Failure): number {
  return hold ? Math.max(attempts - hold.withdrawn, 0) : attempts;
}
