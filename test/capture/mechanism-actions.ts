/** Attempts by other mechanisms than PLAIN, and of master users. */
import {
  byCram,
  byDigest,
  byScram,
  bye,
  IMAP,
  login,
  POP3,
  say,
  says,
  thenBye,
  wrong,
  type Action,
} from "./action.ts";
import { apop, base64, xoauth2 } from "./sasl.ts";

export const MECHANISMS: readonly Action[] = [
  {
    what: "CRAM-MD5, wrong",
    ...{ port: IMAP, refused: 1, needs: "mechanisms" },
    run: thenBye(byCram("alice", "wrong")),
  },
  {
    what: "CRAM-MD5, unknown user",
    ...{ port: IMAP, refused: 1, needs: "mechanisms" },
    run: thenBye(byCram("nobody", "wrong")),
  },
  {
    what: "CRAM-MD5 of the user of the second passdb",
    ...{ port: IMAP, refused: 1, needs: "mechanisms" },
    run: thenBye(byCram("bob", "wrong")),
  },
  {
    what: "CRAM-MD5, PLAIN and CRAM-MD5 of the same user",
    ...{ port: IMAP, refused: 3, needs: "mechanisms" },
    run: thenBye(byCram("bob", "wrong"), say(login("bob", "x")), byCram("bob", "wrong")),
  },
  {
    what: "DIGEST-MD5, wrong",
    ...{ port: IMAP, refused: 1, needs: "mechanisms" },
    run: thenBye(byDigest("alice", "wrong")),
  },
  {
    what: "SCRAM-SHA-1, wrong",
    ...{ port: IMAP, refused: 1, needs: "mechanisms" },
    run: thenBye(byScram("alice", "wrong")),
  },
  {
    what: "SCRAM-SHA-1, unknown, then PLAIN",
    ...{ port: IMAP, refused: 2, needs: "mechanisms" },
    run: thenBye(byScram("nobody", "wrong"), say(wrong)),
  },
  {
    what: "APOP, wrong",
    ...{ port: POP3, refused: 1, needs: "mechanisms" },
    async run(talk) {
      await talk.say(`APOP alice ${apop(talk.greeting, "wrong")}`);
      await talk.say("QUIT");
      await talk.close();
    },
  },
  {
    what: "a master user's wrong password",
    ...{ port: IMAP, refused: 1, needs: "master" },
    run: says(login("alice*master", "wrong"), bye),
  },
  {
    what: "a master user, for whom there is no such user",
    ...{ port: IMAP, refused: 1, needs: "master" },
    run: says(login("nobody*master", "wrong"), bye),
  },
  {
    what: "AUTHENTICATE LOGIN, wrong",
    ...{ port: IMAP, refused: 1, needs: "mechanisms" },
    run: says("a1 AUTHENTICATE LOGIN", base64("alice"), base64("wrong"), bye),
  },
  {
    what: "CRAM-MD5, wrong, then right",
    ...{ port: IMAP, refused: 1, told: 0, isAccepted: true, needs: "mechanisms" },
    run: thenBye(byCram("bob", "wrong"), byCram("bob", "right")),
  },
  {
    what: "XOAUTH2 with a bad token, then a good one",
    ...{ port: IMAP, refused: 1, told: 0, isAccepted: true, needs: "oauth2" },
    run: says(
      ...[`a1 AUTHENTICATE XOAUTH2 ${xoauth2("alice", "bad")}`, ""],
      ...[`a1 AUTHENTICATE XOAUTH2 ${xoauth2("alice", "good")}`, bye],
    ),
  },
  {
    what: "XOAUTH2 with a bad token",
    ...{ port: IMAP, refused: 1, needs: "oauth2" },
    run: says(`a1 AUTHENTICATE XOAUTH2 ${xoauth2("alice", "bad")}`, "", bye),
  },
  {
    what: "XOAUTH2 with two bad tokens",
    ...{ port: IMAP, refused: 2, needs: "oauth2" },
    run: says(
      ...[`a1 AUTHENTICATE XOAUTH2 ${xoauth2("alice", "bad")}`, ""],
      ...[`a1 AUTHENTICATE XOAUTH2 ${xoauth2("bob", "bad")}`, "", bye],
    ),
  },
];
