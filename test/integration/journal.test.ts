import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { startTestAgent, type TestAgent } from "../harness/agent-process.ts";
import { eventually } from "../harness/eventually.ts";
import { failedLogin } from "../harness/failed-login.ts";
import { needsJournal, writeJournal } from "../harness/journal.ts";

/** The message alone, as Dovecot gives it to the journal. */
const message = (user: string) =>
  failedLogin({ address: "198.51.100.7", user })
    .trimEnd()
    .replace(/^.*? dovecot: /, "");

const options = {
  source: (folder: string) => `unit: dovecot.service, directory: ${join(folder, "journal")}`,
};
const journalOf = ({ mailLog }: TestAgent) => join(dirname(mailLog), "journal");

async function users({ failures }: TestAgent): Promise<string[]> {
  return (await failures()).map(({ user }) => user ?? "");
}

async function areCounted(running: TestAgent, expected: readonly string[]): Promise<void> {
  await eventually(
    `${expected.length} failures are counted`,
    async () => (await users(running)).length >= expected.length,
    20,
  );
  assert.deepEqual(await users(running), expected);
}

async function isCheckpointed({ mailLog }: TestAgent, entries: number): Promise<void> {
  const path = join(dirname(mailLog), "state/checkpoint.json");
  await eventually("the checkpoint is written", async () =>
    (await readFile(path, "utf8")).includes(`"position":${entries * 1_048_576},`),
  );
}

test(
  "entries of the unit are counted as they come, others are not",
  { skip: needsJournal },
  async () => {
    await using running = await startTestAgent(options);
    const journal = journalOf(running);
    await writeJournal(journal, [message("one"), "master: something else"]);
    await areCounted(running, ["one"]);
    await writeJournal(journal, [message("other")], { unit: "evil.service" });
    const hostile = "\u001b[2J\u0085 rip=9.9.9.9";
    await writeJournal(journal, [message(hostile), message("two")]);
    await areCounted(running, ["one", hostile, "two"]);
  },
);

test(
  "an agent that is killed goes on behind the entry that it read last",
  { skip: needsJournal },
  async () => {
    await using running = await startTestAgent(options);
    const journal = journalOf(running);
    await writeJournal(journal, ["a", "b", "c"].map(message));
    await areCounted(running, ["a", "b", "c"]);
    await isCheckpointed(running, 3);
    await writeJournal(journal, ["d", "e"].map(message));
    await areCounted(running, ["a", "b", "c", "d", "e"]);
    await running.agent.stop("SIGKILL"); // before the next checkpoint
    await writeJournal(journal, ["f"].map(message), { file: "remote-b.journal" });
    await running.agent.start();
    await areCounted(running, ["a", "b", "c", "d", "e", "f"]);
  },
);

test(
  "entries of every boot are counted, also those that no agent has seen before a reboot",
  { skip: needsJournal },
  async () => {
    const [first, second] = ["1".repeat(32), "2".repeat(32)];
    await using running = await startTestAgent({
      ...options,
      prepare: (folder) => writeJournal(join(folder, "journal"), [message("a")], { boot: first }),
    });
    const journal = journalOf(running);
    await areCounted(running, ["a"]);
    await isCheckpointed(running, 1);
    await running.agent.stop("SIGKILL");
    await writeJournal(journal, [message("b")], { boot: first });
    await writeJournal(journal, [message("c")], { boot: second, file: "remote-b.journal" });
    await running.agent.start();
    await areCounted(running, ["a", "b", "c"]);
    await writeJournal(journal, [message("d")], { boot: second, file: "remote-b.journal" });
    await areCounted(running, ["a", "b", "c", "d"]);
  },
);

/** A line of Dovecot's own log, as a container writes it to its output. */
const output = (user: string) => `Mar 03 04:05:06 ${message(user).replace(": ", ": Info: ")}`;

for (const [sentence, selection, own, others] of [
  [
    "a container, whatever its name, and of no other",
    "container: mailu-front",
    { SYSLOG_IDENTIFIER: "3f2a9c1d0b11", CONTAINER_NAME: "mailu-front" },
    [{ SYSLOG_IDENTIFIER: "dovecot", CONTAINER_NAME: "webshop" }],
  ],
  [
    "certain fields, if root wrote them",
    "match: { CONTAINER_TAG: mailu-front }",
    { SYSLOG_IDENTIFIER: "3f2a9c1d0b11", CONTAINER_NAME: "x1", CONTAINER_TAG: "mailu-front" },
    [
      { SYSLOG_IDENTIFIER: "dovecot", CONTAINER_TAG: "webshop" },
      { SYSLOG_IDENTIFIER: "dovecot", CONTAINER_TAG: "mailu-front", _UID: "1000" },
    ],
  ],
  [
    "a user's own unit, and of nobody else's of that name",
    "userUnit: dovecot.service, user: 1000, container: mail",
    {
      ...{ _SYSTEMD_UNIT: "user@1000.service", _SYSTEMD_USER_UNIT: "dovecot.service" },
      ...{ _UID: "1000", CONTAINER_NAME: "mail", SYSLOG_IDENTIFIER: "mail" },
    },
    [
      { _SYSTEMD_USER_UNIT: "dovecot.service", _UID: "1001", CONTAINER_NAME: "mail" },
      { _SYSTEMD_USER_UNIT: "shop.service", _UID: "1000", CONTAINER_NAME: "mail" },
    ],
  ],
] as const) {
  test(`a source may be the entries of ${sentence}`, { skip: needsJournal }, async () => {
    await using running = await startTestAgent({
      source: (folder) => `${selection}, directory: ${join(folder, "journal")}`,
    });
    const journal = journalOf(running);
    for (const [index, fields] of others.entries()) {
      await writeJournal(journal, [output(`other-${index}`)], { fields: { _UID: "0", ...fields } });
    }
    await writeJournal(journal, [output("one")], { fields: { _UID: "0", ...own } });
    await areCounted(running, ["one"]);
  });
}

test(
  "a journal that was vacuumed meanwhile is read on from what is left",
  { skip: needsJournal },
  async () => {
    await using running = await startTestAgent(options);
    const journal = journalOf(running);
    await writeJournal(journal, ["a", "b"].map(message));
    await areCounted(running, ["a", "b"]);
    await isCheckpointed(running, 2);
    await running.agent.stop("SIGKILL");
    await rm(join(journal, "remote-a.journal"));
    await writeJournal(journal, ["c"].map(message), { file: "remote-b.journal" });
    await running.agent.start();
    await areCounted(running, ["a", "b", "c"]);
    assert.match(running.agent.log(), /the journal of \S+ has lost the entry/);
  },
);

test(
  "at its first start an agent begins at the end of the journal",
  { skip: needsJournal },
  async () => {
    await using running = await startTestAgent({
      ...options,
      startAt: "end",
      prepare: (folder) => writeJournal(join(folder, "journal"), [message("before")]),
    });
    await eventually("the journal is read", () => running.agent.log().includes("journal is read"));
    await writeJournal(journalOf(running), [message("a"), message("b")]);
    await areCounted(running, ["a", "b"]);
  },
);
