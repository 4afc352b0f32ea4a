/** Actions for Dovecots that are set up for other things than the usual. */
import { bye, FORGED, IMAP, POP3, quoted, says, wrong, type Action } from "./action.ts";
import { base64, plain } from "./sasl.ts";

/** For submission and ManageSieve. */
export const OTHER_SERVICES: readonly Action[] = [
  {
    what: "submission, wrong password",
    ...{ port: 587, refused: 1 },
    run: says("EHLO x", `AUTH PLAIN ${plain("alice", "wrong")}`, "QUIT"),
  },
  {
    what: "submission, three wrong ones",
    ...{ port: 587, refused: 3 },
    run: says(
      ...["EHLO x", `AUTH PLAIN ${plain("alice", "wrong")}`],
      ...[`AUTH PLAIN ${plain("bob", "wrong")}`, `AUTH PLAIN ${plain("nobody", "wrong")}`, "QUIT"],
    ),
  },
  {
    what: "submission, closes",
    ...{ port: 587, refused: 1 },
    run: says("EHLO x", `AUTH PLAIN ${plain("alice", "wrong")}`),
  },
  { what: "submission, nothing", port: 587, refused: 0, run: says("EHLO x", "QUIT") },
  {
    what: "ManageSieve, wrong password",
    ...{ port: 4190, refused: 1 },
    run: says(`AUTHENTICATE "PLAIN" "${plain("alice", "wrong")}"`, "LOGOUT"),
  },
  {
    what: "ManageSieve, two wrong ones, closes",
    ...{ port: 4190, refused: 2 },
    run: says(
      `AUTHENTICATE "PLAIN" "${plain("alice", "wrong")}"`,
      `AUTHENTICATE "PLAIN" "${plain("nobody", "wrong")}"`,
    ),
  },
  {
    what: "ManageSieve, right",
    ...{ port: 4190, refused: 0 },
    run: says(`AUTHENTICATE "PLAIN" "${plain("bob", "right")}"`, "LOGOUT"),
  },
];

const auth = (user: string, password: string) => `AUTH PLAIN ${plain(user, password)}`;
const byLogin = (user: string, password: string) => ["AUTH LOGIN", base64(user), base64(password)];

/** At Postfix, for which Dovecot looks at passwords; no login process hears of it. */
export const SMTP: readonly Action[] = [
  {
    what: "wrong password",
    ...{ port: 587, refused: 1, told: 0 },
    run: says("EHLO x", auth("alice", "wrong"), "QUIT"),
  },
  {
    what: "three wrong ones",
    ...{ port: 587, refused: 3, told: 0 },
    run: says(
      ...["EHLO x", auth("alice", "wrong"), ...byLogin("bob", "wrong")],
      ...[auth("nobody", "wrong"), "QUIT"],
    ),
  },
  {
    what: "two wrong ones of the same user, then the right one",
    ...{ port: 587, refused: 2, told: 0 },
    run: says("EHLO x", auth("bob", "x"), auth("bob", "y"), auth("bob", "right"), "QUIT"),
  },
  {
    what: "the right one",
    ...{ port: 587, refused: 0 },
    run: says("EHLO x", auth("alice", "right"), "QUIT"),
  },
  {
    what: "the right one, by LOGIN, closes",
    ...{ port: 587, refused: 0 },
    run: says("EHLO x", ...byLogin("alice", "right")),
  },
  {
    what: "an aborted SASL",
    ...{ port: 587, refused: 0 },
    run: says("EHLO x", "AUTH LOGIN", "*", "QUIT"),
  },
  ...["ann", "ben", "cleo", "dan"].map((user) => ({
    what: `four at once, ${user}`,
    ...{ port: 587, group: 1, refused: 1, told: 0 },
    run: says("EHLO x", auth(user, "wrong"), "QUIT"),
  })),
  {
    what: "IPv6",
    ...{ port: 587, isIpv6: true, refused: 1, told: 0 },
    run: says("EHLO x", auth("alice", "wrong"), "QUIT"),
  },
  {
    what: "wrong password at IMAP",
    ...{ port: IMAP, refused: 2 },
    run: says(wrong, wrong, bye),
  },
];

/** Where a client must have a certificate of its own: without one no password is looked at. */
export const CERTIFICATES: readonly Action[] = [
  { what: "none", port: 993, isTls: true, refused: 0, run: says(wrong, bye) },
  { what: "none, three times", port: 993, isTls: true, refused: 0, run: says(wrong, wrong, wrong) },
  { what: "no TLS", port: IMAP, refused: 0, run: says(wrong, bye) },
  { what: "nothing", port: 993, isTls: true, refused: 0, run: says(bye) },
];

/** Where nothing may be tried without TLS: no password is looked at. */
export const CLEARTEXT: readonly Action[] = [
  { what: "LOGIN", port: IMAP, refused: 0, run: says(wrong, bye) },
  { what: "LOGIN, three times", port: IMAP, refused: 0, run: says(wrong, wrong, wrong, bye) },
  {
    what: "AUTHENTICATE PLAIN",
    ...{ port: IMAP, refused: 0 },
    run: says(`a1 AUTHENTICATE PLAIN ${plain("alice", "wrong")}`, bye),
  },
  { what: "USER", port: POP3, refused: 0, run: says("USER alice", "QUIT") },
  { what: "USER and PASS", port: POP3, refused: 0, run: says("USER alice", "PASS x", "QUIT") },
  { what: "a forged name", port: IMAP, refused: 0, run: says(quoted(FORGED), bye) },
  { what: "IMAPS, wrong", port: 993, isTls: true, refused: 1, run: says(wrong, bye) },
  {
    what: "IMAPS, wrong, three times",
    ...{ port: 993, isTls: true, refused: 3 },
    run: says(wrong, wrong, wrong, bye),
  },
];
