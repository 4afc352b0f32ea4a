import assert from "node:assert/strict";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Bookmark } from "../../../../../services/agent/report/checkpoint.ts";
import {
  isPattern,
  matchingFiles,
} from "../../../../../services/agent/report/sources/path-pattern.ts";
import { openPatternReader } from "../../../../../services/agent/report/sources/pattern-reader.ts";
import { eventually } from "../../../../harness/eventually.ts";

function createBed() {
  const folder = mkdtempSync(join(tmpdir(), "fleetban-pattern-"));
  const stops: (() => void)[] = [];
  const at = (name: string) => join(folder, name);

  function read(
    pattern: string,
    options: { restored?: Record<string, Bookmark>; startAt?: "end" | "beginning" } = {},
  ) {
    const lines: string[] = [];
    const reader = openPatternReader({
      ...{ name: "mail", pattern: at(pattern), restored: options.restored },
      startAt: options.startAt ?? "end",
      onLines(_lane, chunk) {
        lines.push(...chunk.lines.toString().split("\n").slice(0, -1));
        return undefined;
      },
      onOverlong() {},
      onGap: (reason) => lines.push(`lost: ${reason}`),
      onFailed: (reason) => lines.push(`failed: ${reason}`),
      say() {},
    });
    stops.push(() => reader.stop());
    reader.start();
    return {
      reader,
      lines,
      untilRead: async (...expected: string[]) => {
        await eventually(`${expected.join(", ")} are read`, () => lines.length >= expected.length);
        assert.deepEqual(lines, expected);
      },
    };
  }

  return {
    at,
    read,
    write: (name: string, text: string) => appendFileSync(at(name), text),
    [Symbol.dispose]() {
      for (const stop of stops) stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

test("a pattern means the names that fail2ban's means, and no rotated file of another", () => {
  using bed = createBed();
  for (const name of [
    ...["dovecot-a.log", "dovecot-b.log", "dovecot-a.log.1", "dovecot-a.log-20260303", "x.log"],
    ...["dovecot-c.log.2.gz", ".dovecot-d.log", "dovecot-12", "dovecot-13"],
  ]) {
    bed.write(name, "");
  }
  mkdirSync(bed.at("dovecot-folder.log"));
  mkdirSync(bed.at("pod"));
  bed.write("pod/0.log", "");
  const names = (pattern: string) =>
    matchingFiles(bed.at(pattern)).map((path) => path.slice(bed.at("").length + 1));
  assert.deepEqual(names("dovecot-*.log"), ["dovecot-a.log", "dovecot-b.log"]);
  assert.deepEqual(names("dovecot-*.log*"), ["dovecot-a.log", "dovecot-b.log"]);
  assert.deepEqual(names("dovecot-[!b].log"), ["dovecot-a.log"]);
  assert.deepEqual(names("dovecot-1?"), ["dovecot-12", "dovecot-13"]);
  assert.deepEqual(names("p*/*.log"), ["pod/0.log"]);
  assert.deepEqual(names("nothing/*.log"), []);
  assert.deepEqual(
    [isPattern("/var/log/mail.log"), isPattern("/var/log/mail*.log")],
    [false, true],
  );
});

test("files that appear are read from their beginning, those that were there from where they are to", async () => {
  using bed = createBed();
  bed.write("dovecot-a.log", "before\n");
  const { reader, untilRead } = bed.read("dovecot-*.log");
  bed.write("dovecot-a.log", "one\n");
  await untilRead("one");
  bed.write("dovecot-b.log", "two\n");
  await untilRead("one", "two");
  assert.deepEqual(Object.keys(reader.bookmarks()), [
    `mail:${bed.at("dovecot-a.log")}`,
    `mail:${bed.at("dovecot-b.log")}`,
  ]);
});

test("a container that is made anew is followed: its last lines, then the new one's", async () => {
  using bed = createBed();
  bed.write("0.log", "one\n");
  symlinkSync(bed.at("0.log"), bed.at("dovecot-1.log"));
  const { reader, untilRead } = bed.read("dovecot-*.log", { startAt: "beginning" });
  await untilRead("one");
  bed.write("0.log", "two\n");
  await untilRead("one", "two");
  unlinkSync(bed.at("dovecot-1.log"));
  unlinkSync(bed.at("0.log"));
  bed.write("1.log", "three\n");
  symlinkSync(bed.at("1.log"), bed.at("dovecot-2.log"));
  await untilRead("one", "two", "three");
  await eventually("the old file is let go", () => Object.keys(reader.bookmarks()).length === 1);
});

test("a file that is rotated within the pattern is read once", async () => {
  using bed = createBed();
  bed.write("mail.log", "one\n");
  const { untilRead } = bed.read("mail.log*", { startAt: "beginning" });
  await untilRead("one");
  renameSync(bed.at("mail.log"), bed.at("mail.log.1"));
  bed.write("mail.log.1", "two\n");
  await untilRead("one", "two");
  bed.write("mail.log", "three\n");
  await untilRead("one", "two", "three");
});

test("after a restart every file goes on where it was, and new ones are read whole", async () => {
  using bed = createBed();
  bed.write("dovecot-a.log", "one\n");
  const first = bed.read("dovecot-*.log", { startAt: "beginning" });
  await first.untilRead("one");
  const restored = first.reader.bookmarks();
  first.reader.stop();
  bed.write("dovecot-a.log", "two\n");
  bed.write("dovecot-b.log", "three\n");
  const second = bed.read("dovecot-*.log", { restored });
  await second.untilRead("two", "three");
});
