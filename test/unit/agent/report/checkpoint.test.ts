import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  checkpointPath,
  createCheckpoint,
  readCheckpoint,
  type FileBookmark,
} from "../../../../services/agent/report/checkpoint.ts";
import { createLedger } from "../../../../services/detection/attempts/attempt-ledger.ts";
import { eventually } from "../../../harness/eventually.ts";

function bookmarkAt(position: number, epoch: string): FileBookmark {
  const file = { device: 1, inode: 2, offset: position, fingerprint: { length: 0, hash: "" } };
  return { epoch, position, ...file };
}

/** One source that the test moves on, and what of it is acknowledged. */
async function setUp() {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-checkpoint-"));
  const place = { epoch: "e1", read: 0, acknowledged: 0 as number | undefined };
  const errors: unknown[] = [];
  const checkpoint = createCheckpoint({
    folder,
    bookmarks: () => ({ mail: bookmarkAt(place.read, place.epoch) }),
    shifts: () => ({}),
    patterns: () => ({}),
    ledger: () => ({ ...createLedger({ mode: "normal" }).snapshot(), now: place.read }),
    acknowledged(_source, epoch) {
      if (epoch !== place.epoch) return { state: "all" };
      if (place.acknowledged === undefined) return { state: "not-yet" };
      return { state: "up-to", position: place.acknowledged };
    },
    health: { failed: assert.ifError, written: () => {} },
    onError: (error) => errors.push(error),
  });
  const written = async () => (await readCheckpoint(folder))?.sources["mail"]?.position;
  return {
    ...{ folder, place, errors, checkpoint, written },
    async [Symbol.asyncDispose]() {
      await checkpoint.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

test("a place is written down only when everything before it is acknowledged", async () => {
  await using agent = await setUp();
  const { place, checkpoint, written } = agent;
  Object.assign(place, { read: 500, acknowledged: 499 });
  await checkpoint.write();
  assert.equal(await written(), undefined);
  place.acknowledged = 500;
  await checkpoint.write();
  assert.equal(await written(), 500);
});

test("the ledger is that of the very place, however far reading has gone since", async () => {
  await using agent = await setUp();
  const { folder, place, checkpoint, written } = agent;
  place.read = 500;
  await checkpoint.write(); // takes it, and waits
  Object.assign(place, { read: 900, acknowledged: 600 });
  await checkpoint.write();
  assert.equal(await written(), 500);
  assert.equal((await readCheckpoint(folder))?.ledger.now, 500);
});

test("a place of an epoch that is over is forgotten, and one of the next is written", async () => {
  await using agent = await setUp();
  const { folder, place, checkpoint, written } = agent;
  Object.assign(place, { read: 500, acknowledged: 499 });
  await checkpoint.write(); // takes it, and waits
  Object.assign(place, { epoch: "e2", read: 20, acknowledged: undefined });
  await checkpoint.write();
  assert.equal(await written(), undefined);
  place.acknowledged = 20;
  await checkpoint.write();
  assert.equal(await written(), 20);
  assert.equal((await readCheckpoint(folder))?.sources["mail"]?.epoch, "e2");
});

test("it is written by itself soon after something was touched", async () => {
  await using agent = await setUp();
  Object.assign(agent.place, { read: 700, acknowledged: 700 });
  agent.checkpoint.touch();
  await eventually("it is written", async () => (await agent.written()) === 700);
});

test("closing writes down the last acknowledged place", async () => {
  await using agent = await setUp();
  const { place, checkpoint, written } = agent;
  place.read = 100;
  await checkpoint.write();
  Object.assign(place, { read: 300, acknowledged: 300 });
  await checkpoint.close();
  assert.equal(await written(), 300);
});

test("a file is there whole, for nobody else to read, and with no draft beside it", async () => {
  await using agent = await setUp();
  const { folder, place, checkpoint } = agent;
  for (let position = 1; position <= 20; position += 1) {
    Object.assign(place, { read: position, acknowledged: position });
    void checkpoint.write();
  }
  await checkpoint.write();
  assert.deepEqual(await readdir(folder), ["checkpoint.json"]);
  assert.equal((await stat(checkpointPath(folder))).mode & 0o777, 0o600);
  const sources: unknown = JSON.parse(await readFile(checkpointPath(folder), "utf8"));
  assert.equal(typeof sources, "object");
});

test("a folder that cannot be written to is told, and the place is written when it can be", async () => {
  await using agent = await setUp();
  const { folder, place, errors, checkpoint, written } = agent;
  Object.assign(place, { read: 100, acknowledged: 100 });
  await rm(folder, { recursive: true });
  await checkpoint.write();
  assert.match(String(errors[0]), /ENOENT/);
  await mkdir(folder);
  await checkpoint.write();
  assert.equal(await written(), 100);
});

test("what is no checkpoint is none: not there, cut short, of another version, binary", async () => {
  await using agent = await setUp();
  const { folder, place, checkpoint } = agent;
  assert.equal(await readCheckpoint(folder), undefined);
  Object.assign(place, { read: 100, acknowledged: 100 });
  await checkpoint.write();
  const whole = await readFile(checkpointPath(folder), "utf8");
  const other = [
    whole.replace('"v":1', '"v":2'),
    whole.replace('"position":100', '"position":"1"'),
  ];
  for (const text of [whole.slice(0, -1), "", "\0\xff", "null", "[]", ...other]) {
    await writeFile(checkpointPath(folder), text);
    assert.equal(await readCheckpoint(folder), undefined, JSON.stringify(text));
  }
  await writeFile(checkpointPath(folder), whole);
  assert.equal((await readCheckpoint(folder))?.sources["mail"]?.position, 100);
});
