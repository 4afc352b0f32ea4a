import type { Address } from "../wire/address.ts";

/** Failed attempts that one line added to what was counted before. */
export interface Failure {
  address: Address;
  /** When, by the line's own stamp; epoch milliseconds. */
  at: number;
  /** At least 1. */
  attempts: number;
  user: string | undefined;
  service: string | undefined;
  session: string | undefined;
  /** Name of the line's form. */
  form: string;
  /** Where its line ends in its source; 0 where nobody needs to know. */
  position: number;
}
