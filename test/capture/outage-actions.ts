/** Actions for Dovecots that can ask nobody: no password is refused, whatever the client tries. */
import {
  bye,
  FORGED,
  IMAP,
  login,
  POP3,
  quoted,
  right,
  says,
  wrong,
  type Action,
} from "./action.ts";

export const OUTAGES: readonly Action[] = [
  { what: "wrong password", port: IMAP, refused: 0, run: says(wrong, bye) },
  { what: "right password", port: IMAP, refused: 0, run: says(right, bye) },
  {
    what: "three wrong ones of three users",
    ...{ port: IMAP, refused: 0 },
    run: says(wrong, login("nobody", "x"), login("bob", "x"), bye),
  },
  {
    what: "the same user three times",
    port: IMAP,
    refused: 0,
    run: says(wrong, wrong, wrong, bye),
  },
  { what: "closes", port: IMAP, refused: 0, run: says(wrong) },
  {
    what: "an unknown mechanism behind it",
    port: IMAP,
    refused: 0,
    run: says(wrong, "a AUTHENTICATE X", bye),
  },
  // The name is refused before anybody is asked.
  { what: "a rejected name", port: IMAP, refused: 1, run: says(quoted(FORGED), bye) },
  {
    what: "POP3",
    port: POP3,
    refused: 0,
    run: says("USER alice", "PASS x", "USER bob", "PASS right", "QUIT"),
  },
];
