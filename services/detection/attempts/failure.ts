import type { Address } from "../../wire/address.ts";
import type { Provisional } from "./provisional.ts";

/** As the wire has it: no line stands for more attempts. */
export const MAX_ATTEMPTS = 1000;

/** Failed attempts that one line added to what was counted before. */
export interface Failure {
  address: Address;
  /** When, by the line's own stamp; epoch milliseconds. */
  at: number;
  /** At least 1; of a provisional failure, before anything is withdrawn. */
  attempts: number;
  user: string | undefined;
  service: string | undefined;
  session: string | undefined;
  /** Name of the line's form. */
  form: string;
  /** Where its line ends in its source; 0 where nobody needs to know. */
  position: number;
  /** Names it for the ledger, which may withdraw attempts of it; undefined: all are certain. */
  provisional: Provisional | undefined;
}

/** Failures that lines add, and attempts that lines withdraw. */
export interface Found {
  failures: readonly Failure[];
  /** Attempts of provisional failures, of these or of earlier ones, that were none. */
  withdrawn: readonly Provisional[];
}
