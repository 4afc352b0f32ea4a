/**
 * What clients do to a server whose log is captured, and how many passwords are really refused
 * by it. Users: alice (password right), bob (password right), carol (not from this
 * network), dave (may not log in).
 */
import { plain } from "./sasl.ts";
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
import { MECHANISMS } from "./mechanism-actions.ts";

export const ACTIONS: readonly Action[] = [
  { what: "wrong password, LOGOUT", port: IMAP, refused: 1, run: says(wrong, bye) },
  { what: "wrong password, closes", port: IMAP, refused: 1, run: says(wrong) },
  { what: "unknown user", port: IMAP, refused: 1, run: says(login("nobody", "x"), bye) },
  { what: "three wrong ones", port: IMAP, refused: 3, run: says(wrong, wrong, wrong, bye) },
  {
    what: "three wrong ones of three users",
    ...{ port: IMAP, refused: 3 },
    run: says(wrong, login("nobody", "x"), login("bob", "x"), bye),
  },
  {
    what: "two wrong ones, then the right one",
    ...{ port: IMAP, refused: 2, told: 0, isAccepted: true },
    run: says(wrong, wrong, right, bye),
  },
  {
    what: "three wrong ones, then an unknown mechanism",
    ...{ port: IMAP, refused: 3, told: 0, told24: 3 },
    run: says(wrong, wrong, login("bob", "x"), "a1 AUTHENTICATE FOO", bye),
  },
  {
    what: "two wrong ones, then broken base64",
    ...{ port: IMAP, refused: 2, told: 3, told24: 2 },
    run: says(wrong, wrong, "a1 AUTHENTICATE PLAIN", "!!!", bye),
  },
  {
    what: "two wrong ones, then an aborted SASL",
    ...{ port: IMAP, refused: 2, told: 3, told24: 2 },
    run: says(wrong, wrong, "a1 AUTHENTICATE PLAIN", "*", bye),
  },
  {
    what: "AUTHENTICATE PLAIN, wrong",
    ...{ port: IMAP, refused: 1 },
    run: says(`a1 AUTHENTICATE PLAIN ${plain("alice", "wrong")}`, bye),
  },
  {
    what: "AUTHENTICATE PLAIN without an initial response, wrong",
    ...{ port: IMAP, refused: 1 },
    run: says("a1 AUTHENTICATE PLAIN", plain("alice", "wrong"), bye),
  },
  {
    what: "two wrong ones, then too many bad commands",
    ...{ port: IMAP, refused: 2 },
    run: says(wrong, wrong, ...Array.from({ length: 12 }, (_, n) => `b${n} WHAT`)),
  },
  {
    what: "an aborted SASL alone",
    ...{ port: IMAP, refused: 0 },
    run: says("a1 AUTHENTICATE PLAIN", "*", bye),
  },
  {
    what: "an unknown mechanism alone",
    ...{ port: IMAP, refused: 0 },
    run: says("a1 AUTHENTICATE FOO", bye),
  },
  {
    what: "pipelined",
    ...{ port: IMAP, refused: 2 },
    async run(talk) {
      talk.send("a1 LOGIN alice wrong\r\na2 LOGIN alice wrong2\r\na3 LOGOUT\r\n");
      await talk.answer();
      await talk.answer();
      await talk.answer();
      await talk.close();
    },
  },
  {
    what: "hangs up while the password is checked",
    ...{ port: IMAP, refused: 1 },
    async run(talk) {
      talk.send("a1 LOGIN alice wrong\r\n");
      await new Promise((resolve) => setTimeout(resolve, 300));
      talk.reset();
    },
  },
  { what: "six at once", port: IMAP, parallel: 6, refused: 1, run: says(wrong, bye) },
  {
    what: "three at once with three each",
    ...{ port: IMAP, parallel: 3, refused: 3 },
    run: says(wrong, login("bob", "x"), wrong, bye),
  },
  { what: "IPv6", port: IMAP, isIpv6: true, refused: 2, run: says(wrong, wrong, bye) },
  { what: "an empty password", port: IMAP, refused: 1, run: says(`a1 LOGIN alice ""`, bye) },
  { what: "the right password", port: IMAP, refused: 0, run: says(right, bye) },
  {
    what: "the right password, three at once",
    ...{ port: IMAP, parallel: 3, refused: 0 },
    run: says(right, bye),
  },
  { what: "nothing", port: IMAP, refused: 0, run: says() },
  {
    what: "not from this network",
    port: IMAP,
    refused: 1,
    run: says(login("carol", "right"), bye),
  },
  {
    what: "refused by the policy server",
    port: IMAP,
    refused: 2,
    needs: "policy",
    run: says(login("erin", "right"), login("erin", "wrong"), bye),
  },
  {
    what: "denied by the list: nobody looks at the password",
    port: IMAP,
    refused: 0,
    needs: "denied",
    run: says(login("frank", "right"), bye),
  },
  {
    what: "right, but nobody's home",
    port: IMAP,
    refused: 0,
    needs: "no-userdb",
    run: says(login("frank", "right"), bye),
  },
  {
    what: "wrong, then right, but nobody's home",
    ...{ port: IMAP, refused: 1, told: 0, needs: "no-userdb" },
    run: says(login("frank", "wrong"), login("frank", "right"), bye),
  },
  {
    what: "may not log in",
    port: IMAP,
    refused: 0,
    needs: "nologin",
    run: says(login("dave", "right"), bye),
  },
  {
    what: "a forged name",
    port: IMAP,
    refused: 1,
    refusedByProxy: 1,
    run: says(quoted(FORGED), bye),
  },
  {
    what: "three wrong ones, then a forged name",
    ...{ port: IMAP, refused: 4, refusedByProxy: 1 },
    run: says(wrong, wrong, wrong, quoted(FORGED), bye),
  },
  {
    what: "a name that is a line of the auth process",
    ...{ port: IMAP, refused: 1, refusedByProxy: 1 },
    run: says(quoted("v,9.9.9.9,<s>): unknown user (SHA1 of given password: a"), bye),
  },
  {
    what: "a long name",
    ...{ port: IMAP, refused: 1, refusedByProxy: 1 },
    run: says(quoted(`${"n".repeat(150)}, rip=9.9.9.9`), bye),
  },
  {
    what: "POP3, wrong password",
    port: POP3,
    refused: 1,
    needs: "pop3",
    run: says("USER alice", "PASS x", "QUIT"),
  },
  {
    what: "POP3, three wrong ones",
    ...{ port: POP3, refused: 3, needs: "pop3" },
    run: says("USER alice", "PASS x", "USER bob", "PASS y", "USER nobody", "PASS z", "QUIT"),
  },
  {
    what: "POP3, right",
    port: POP3,
    refused: 0,
    needs: "pop3",
    run: says("USER bob", "PASS right", "QUIT"),
  },
  { what: "IMAPS, wrong password", port: 993, isTls: true, refused: 1, run: says(wrong, bye) },
  {
    what: "IMAPS, two wrong ones, closes",
    ...{ port: 993, isTls: true, refused: 2 },
    run: says(wrong, login("nobody", "x")),
  },
  ...MECHANISMS,
];
