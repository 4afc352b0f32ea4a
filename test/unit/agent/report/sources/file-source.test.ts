import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { FileBookmark } from "../../../../../services/agent/report/checkpoint.ts";
import { openFileSource } from "../../../../../services/agent/report/sources/file-source.ts";
import { eventually } from "../../../../harness/eventually.ts";

/** A folder for a log, and readers of it that may be held up as by a NATS that is away. */
function createBed(name = "mail.log") {
  const folder = mkdtempSync(join(tmpdir(), "fleetban-source-"));
  const path = join(folder, name);
  const stops: (() => void)[] = [];

  function read(
    bookmark?: FileBookmark,
    { startAt = "beginning", held = false }: { startAt?: "end" | "beginning"; held?: boolean } = {},
  ) {
    const lines: string[] = [];
    const ranges: [number, number][] = [];
    /** Lines that the source takes for written just before. */
    const fresh: string[] = [];
    const said: string[] = [];
    let proceed: () => void = () => {};
    const holdUp = () => (hold = new Promise<void>((resolve) => (proceed = resolve)));
    let hold: Promise<void> | undefined;
    if (held) void holdUp();
    const source = openFileSource({
      path,
      startAt,
      bookmark,
      onLines({ lines: chunk, from, to, isFresh }) {
        const each = chunk.toString().split("\n").slice(0, -1);
        lines.push(...each);
        ranges.push([from, to]);
        if (isFresh) fresh.push(...each);
        return hold;
      },
      onOverlong() {},
      onFailed: (reason) => said.push(`failed: ${reason}`),
      onGap: (reason) => said.push(`lost: ${reason}`),
      say: (what) => said.push(what),
    });
    source.start();
    stops.push(() => source.stop());
    return {
      source,
      lines,
      ranges,
      fresh,
      said,
      /** Nothing is read after the next chunk, until it proceeds. */
      holdUp,
      proceed() {
        hold = undefined;
        proceed();
      },
      async untilRead(...expected: string[]) {
        await eventually(`${expected.join(", ")} are read`, () => lines.length >= expected.length);
        assert.deepEqual(lines, expected);
        for (const [index, [from]] of ranges.entries()) {
          assert.equal(from, ranges[index - 1]?.[1] ?? from, "positions have no gap");
        }
      },
    };
  }

  return {
    folder,
    path,
    read,
    write: (text: string) => appendFileSync(path, text),
    rename: (suffix: string) => renameSync(path, `${path}${suffix}`),
    /** As logrotate does without delaycompress: the time stays, the inode does not. */
    compress: (suffix: string) => execFileSync("gzip", [`${path}${suffix}`]),
    copyAndTruncate(suffix: string) {
      copyFileSync(path, `${path}${suffix}`);
      truncateSync(path);
    },
    [Symbol.dispose]() {
      for (const stop of stops) stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** File times are as coarse as the kernel's tick: makes sure that what follows is later. */
async function tick(folder: string): Promise<void> {
  const probe = join(folder, "tick");
  writeFileSync(probe, "");
  const { statSync } = await import("node:fs");
  const before = statSync(probe).mtimeMs;
  await eventually("the file system's clock goes on", () => {
    writeFileSync(probe, "");
    return statSync(probe).mtimeMs > before;
  });
}

test("a reader that is held up finds every file that was rotated meanwhile", async () => {
  using bed = createBed();
  bed.write("one\n");
  const reader = bed.read();
  void reader.holdUp();
  bed.write("two\n");
  await reader.untilRead("one", "two");
  bed.write("three\n");
  for (const [line, number] of [
    ["four", 2],
    ["five", 1],
  ] as const) {
    await tick(bed.folder);
    bed.rename(`.${number}`);
    bed.write(`${line}\n`);
  }
  await tick(bed.folder);
  renameSync(bed.path, `${bed.path}-20260303`);
  bed.write("six\n");
  reader.proceed();
  await reader.untilRead("one", "two", "three", "four", "five", "six");
});

test("a file that moves on to its next name while it is read is read once", async () => {
  using bed = createBed();
  bed.write("one\n");
  const first = bed.read();
  await first.untilRead("one");
  const bookmark = first.source.bookmark();
  first.source.stop();
  bed.write("two\n");
  bed.rename(".1");
  await tick(bed.folder);
  bed.write("three\n");
  const second = bed.read(bookmark, { held: true });
  await second.untilRead("two");
  renameSync(`${bed.path}.1`, `${bed.path}.2`);
  bed.rename(".1");
  await tick(bed.folder);
  bed.write("four\n");
  second.proceed();
  await second.untilRead("two", "three", "four");
});

test("a log that is copied and truncated twice while its reader is held up is read once", async () => {
  using bed = createBed();
  bed.write("one\n");
  const reader = bed.read();
  void reader.holdUp();
  bed.write("two\n");
  await reader.untilRead("one", "two");
  bed.write("three\n");
  bed.copyAndTruncate(".2");
  await tick(bed.folder);
  bed.write("four\n");
  bed.copyAndTruncate(".1");
  await tick(bed.folder);
  bed.write("five\n");
  reader.proceed();
  await reader.untilRead("one", "two", "three", "four", "five");
});

test("other files beside the log, whatever their times, are not taken for rotated ones", async () => {
  using bed = createBed();
  bed.write("one\n");
  const reader = bed.read();
  await reader.untilRead("one");
  bed.rename(".1");
  await tick(bed.folder);
  writeFileSync(`${bed.path}.offset`, "state\n");
  writeFileSync(`${bed.path}-summary`, "summary\n");
  writeFileSync(`${bed.path}.2.gz`, "packed\n");
  bed.write("two\n");
  await reader.untilRead("one", "two");
});

test("a log that cannot be opened after its rotation is read from its beginning once it can", async () => {
  using bed = createBed();
  bed.write("one\n");
  const reader = bed.read();
  await reader.untilRead("one");
  bed.rename(".1");
  mkdirSync(bed.path); // root may read every file, but no folder
  await eventually("it fails", () => reader.source.state() === "failed");
  appendFileSync(`${bed.path}.1`, "two\n"); // the writer has not been told yet
  await reader.untilRead("one", "two");
  rmSync(bed.path, { recursive: true });
  bed.write("three\n");
  await reader.untilRead("one", "two", "three");
  await eventually("it has recovered", () => reader.source.state() === "reading");
});

test("a log that cannot be read at a start is gone on with where it was", async () => {
  using bed = createBed();
  bed.write("one\n");
  const first = bed.read();
  await first.untilRead("one");
  const bookmark = first.source.bookmark();
  first.source.stop();
  bed.write("two\n");
  renameSync(bed.folder, `${bed.folder}-away`);
  try {
    const second = bed.read(bookmark);
    await eventually("it fails", () => second.source.state() === "failed");
    assert.deepEqual(second.source.bookmark(), bookmark);
    renameSync(`${bed.folder}-away`, bed.folder);
    await second.untilRead("two");
    assert.equal(second.ranges[0]?.[0], bookmark?.position);
  } finally {
    if (existsSync(`${bed.folder}-away`)) renameSync(`${bed.folder}-away`, bed.folder);
  }
});

test("a log that cannot be read at the first start is read from where it ends then", async () => {
  using bed = createBed();
  mkdirSync(bed.path);
  const reader = bed.read(undefined, { startAt: "end" });
  await eventually("it fails", () => reader.source.state() === "failed");
  assert.equal(reader.source.bookmark(), undefined);
  rmSync(bed.path, { recursive: true });
  const ready = `${bed.path}.ready`;
  writeFileSync(ready, "old\n");
  renameSync(ready, bed.path);
  await eventually("it recovers", () => reader.source.state() === "reading");
  bed.write("new\n");
  await reader.untilRead("new");
});

test("a log behind a symbolic link is followed at once, and found again after its rotation", async () => {
  using bed = createBed("link.log");
  mkdirSync(join(bed.folder, "real"));
  const real = join(bed.folder, "real", "mail.log");
  writeFileSync(real, "one\n");
  symlinkSync(real, bed.path);
  const first = bed.read();
  await first.untilRead("one");
  const bookmark = first.source.bookmark();
  first.source.stop();
  appendFileSync(real, "two\n");
  renameSync(real, `${real}.1`);
  await tick(bed.folder);
  writeFileSync(real, "three\n");
  const second = bed.read(bookmark);
  await second.untilRead("two", "three");
  appendFileSync(real, "four\n");
  await second.untilRead("two", "three", "four");
});

test("a link that is set to another log is followed there", async () => {
  using bed = createBed("link.log");
  for (const day of ["01", "02"]) writeFileSync(join(bed.folder, `mail-${day}`), `day ${day}\n`);
  symlinkSync(join(bed.folder, "mail-01"), bed.path);
  const reader = bed.read();
  await reader.untilRead("day 01");
  execFileSync("ln", ["-sfn", join(bed.folder, "mail-02"), bed.path]);
  await reader.untilRead("day 01", "day 02");
});

test("a deleted log is read to its end, then its successor", async () => {
  using bed = createBed();
  bed.write("one\n");
  const reader = bed.read();
  await reader.untilRead("one");
  void reader.holdUp();
  bed.write("two\n");
  await reader.untilRead("one", "two");
  bed.write("three\n");
  unlinkSync(bed.path);
  bed.write("four\n");
  reader.proceed();
  await reader.untilRead("one", "two", "three", "four");
});

test("another file under the inode of the one that was read is read from its beginning", async () => {
  using bed = createBed();
  bed.write("a first line\n");
  const first = bed.read();
  await first.untilRead("a first line");
  const bookmark = first.source.bookmark();
  first.source.stop();
  writeFileSync(bed.path, "quite another line, and longer\n");
  const second = bed.read(bookmark);
  await second.untilRead("quite another line, and longer");
  assert.notEqual(second.source.bookmark()?.epoch, bookmark?.epoch);
});

test("a log that was compressed before all of it was read is read to its end, then what follows", async () => {
  using bed = createBed();
  bed.write("one\ntwo\n");
  const before = bed.read();
  await before.untilRead("one", "two");
  const bookmark = before.source.bookmark();
  before.source.stop();

  bed.write("three\n");
  bed.rename(".2");
  bed.compress(".2");
  bed.write("four\n");
  bed.rename(".1");
  bed.compress(".1");
  bed.write("five\n");
  const { untilRead, said, source } = bed.read(bookmark);
  await untilRead("three", "four", "five");
  assert.equal(source.bookmark()?.epoch, bookmark?.epoch);
  assert.ok(!said.some((each) => each.startsWith("lost:")));
});

test("a reader that stops within a compressed log goes on there, also under its next name", async () => {
  using bed = createBed();
  const lines = Array.from({ length: 60_000 }, (_, index) => `line ${index} of a log`);
  bed.write(`${lines[0] ?? ""}\n`);
  const before = bed.read();
  await before.untilRead("line 0 of a log");
  const bookmark = before.source.bookmark();
  before.source.stop();
  bed.write(lines.slice(1).join("\n") + "\n");
  bed.rename(".1");
  bed.compress(".1");

  const held = bed.read(bookmark, { held: true });
  await eventually("a part is read", () => held.lines.length > 0);
  assert.ok(held.lines.length < 59_999, "not all of it");
  assert.ok(held.source.lag() > 0);
  const middle = held.source.bookmark();
  held.source.stop();
  held.proceed();
  renameSync(`${bed.path}.1.gz`, `${bed.path}.2.gz`);
  bed.write("new\n");
  const { untilRead } = bed.read(middle);
  await untilRead(...lines.slice(1 + held.lines.length), "new");
});

test("a log that is compressed while it is read is not read again", async () => {
  using bed = createBed();
  bed.write("one\n");
  const { untilRead, holdUp, proceed } = bed.read();
  await untilRead("one");
  void holdUp();
  bed.write("two\n");
  await untilRead("one", "two");
  bed.rename(".1");
  bed.write("three\n");
  bed.compress(".1");
  const soon = new Date(Date.now() + 60_000);
  utimesSync(`${bed.path}.1.gz`, soon, soon); // as while gzip writes it
  proceed();
  await untilRead("one", "two", "three");
});

test("what is left of a truncated log is read from its compressed copy", async () => {
  using bed = createBed();
  bed.write("one\n");
  const before = bed.read();
  await before.untilRead("one");
  const { holdUp, proceed } = before;
  void holdUp();
  bed.write("two\n");
  await before.untilRead("one", "two");
  bed.write("three\n");
  bed.copyAndTruncate(".1");
  bed.compress(".1");
  bed.write("4\n");
  proceed();
  await before.untilRead("one", "two", "three", "4");
});

test("a line that is too long is skipped in a compressed log, too, and one that is cut off ends it", async () => {
  using bed = createBed();
  bed.write("one\n");
  const before = bed.read();
  await before.untilRead("one");
  const bookmark = before.source.bookmark();
  before.source.stop();
  bed.write(`${"x".repeat(3_000_000)}\ntwo\nhalf of a`);
  bed.rename(".1");
  bed.compress(".1");
  bed.write("three\n");
  const { lines, source } = bed.read(bookmark);
  await eventually("the new log is read", () => lines.includes("three"));
  assert.deepEqual(lines, ["two", "three"]);
  const taken = ["one", "x".repeat(3_000_000), "two", "three"].join("\n").length + 1;
  assert.equal(source.bookmark()?.position, taken);
});

test("a compressed log that is broken is read as far as it goes, then what follows", async () => {
  using bed = createBed();
  bed.write("one\n");
  const before = bed.read();
  await before.untilRead("one");
  const bookmark = before.source.bookmark();
  before.source.stop();
  bed.write(Array.from({ length: 50_000 }, (_, index) => `${Math.sin(index)}\n`).join(""));
  bed.rename(".1");
  bed.compress(".1");
  truncateSync(`${bed.path}.1.gz`, 200_000);
  bed.write("last\n");
  const { lines, said } = bed.read(bookmark);
  await eventually("the new log is read", () => lines.includes("last"));
  assert.ok(lines.length > 1_000, `${lines.length} lines`);
  assert.equal(lines[0], String(Math.sin(0)));
  assert.ok(said.some((each) => each.startsWith("lost:")));
});

test("a log that is gone altogether is said to be lost", async () => {
  using bed = createBed();
  bed.write("one\n");
  const before = bed.read();
  await before.untilRead("one");
  const bookmark = before.source.bookmark();
  before.source.stop();
  unlinkSync(bed.path);
  bed.write("another\n");
  const { untilRead, said, source } = bed.read(bookmark);
  await untilRead("another");
  assert.ok(said.some((each) => each.startsWith("lost:")));
  assert.notEqual(source.bookmark()?.epoch, bookmark?.epoch);
});

test("only lines that are written while the reader keeps up are taken for fresh", async () => {
  using bed = createBed();
  bed.write("one\n");
  const reader = bed.read();
  await reader.untilRead("one");
  bed.write("two\n");
  await reader.untilRead("one", "two");
  assert.deepEqual(reader.fresh, ["two"]);
  // Another file in its place may be old.
  bed.rename(".1");
  await tick(bed.folder);
  bed.write("three\n");
  await reader.untilRead("one", "two", "three");
  bed.write("four\n");
  await reader.untilRead("one", "two", "three", "four");
  assert.deepEqual(reader.fresh, ["two", "four"]);
});

test(
  "a file that may not be read says what to run",
  { skip: process.getuid?.() !== 0 },
  async () => {
    using bed = createBed();
    bed.write("one\n");
    chmodSync(bed.folder, 0o755);
    chmodSync(bed.path, 0o600);
    process.seteuid?.(65534);
    try {
      const reader = bed.read();
      await eventually("it has failed", () => reader.source.state() === "failed");
      assert.match(
        reader.source.trouble() ?? "",
        /^permission denied: chgrp fleetban-agent .*mail\.log/,
      );
    } finally {
      process.seteuid?.(0);
    }
  },
);
