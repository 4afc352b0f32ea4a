/** NATS with no room to store anything: nothing is lost, and bans have room of their own. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { freePort } from "../../services/standalone/child.ts";
import { startNatsServer } from "../../services/standalone/nats-server.ts";
import { FAILURES_STREAM } from "../../services/wire/subjects.ts";
import { startCentre, type Centre } from "../harness/centre.ts";
import { eventually } from "../harness/eventually.ts";
import { needsRoot } from "../harness/netns.ts";
import { mountSmallDisk, type SmallDisk } from "../harness/small-disk.ts";
import { restartable, type Restartable } from "../harness/restartable.ts";

const MIB = 2 ** 20;
const ADDRESSES = { flood: "198.51.100.1", late: "198.51.100.2" } as const;
const STORES_NOTHING = /^NATS stores nothing now: .+; look for room on its disk/;

interface Place {
  centre: Centre;
  nats: Restartable;
  url: string;
}

/** A fleet on a nats-server that may store so much; its store lies on `disk`, if there is one. */
async function onNats(
  maxFileStore: string,
  withDisk: number | undefined,
  check: (place: Place, disk: SmallDisk | undefined) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-nats-full-"));
  const store = join(folder, "store");
  await mkdir(store);
  const disk = withDisk === undefined ? undefined : await mountSmallDisk(store, withDisk);
  try {
    const port = await freePort();
    const jetstream = `jetstream { store_dir: ${JSON.stringify(store)}, max_file_store: ${maxFileStore} }`;
    const nats = await restartable((onOutput) =>
      startNatsServer({
        ...{ folder: join(folder, "nats"), port, settings: [jetstream], onOutput },
        ...(disk && { spawn: disk.spawn }),
      }),
    );
    try {
      const url = `nats://127.0.0.1:${port}`;
      await using centre = await startCentre({ folder: join(folder, "centre"), natsUrl: url });
      await check({ centre, nats, url }, disk);
    } finally {
      await nats.stop();
    }
  } finally {
    await disk?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  }
}

const MOST_FAILURES = 400_000;

const untilCounted = ({ status }: Centre, count: number) =>
  eventually(`${count} are counted`, async () => (await status()).failures >= count, 60);

const untilWarned = ({ status }: Centre, words: RegExp) =>
  eventually(
    `status says ${words.source}`,
    async () => (await status()).warnings.some(({ text }) => words.test(text)),
    40,
  );

test("more failures than NATS has room for: all are counted, and bans have room beside them", () =>
  onNats("16MB", undefined, async ({ centre, url }) => {
    await using connection = await open(url);
    const { streams } = await jetstreamManager(connection);
    // How many failures fill the stream depends on the version of NATS.
    const isFull = async () => (await streams.info(FAILURES_STREAM)).state.first_seq > 1;
    let written = 0;
    while (!(await isFull())) {
      assert.ok(written < MOST_FAILURES, "NATS forgets no failure, so this test shows nothing");
      await centre.fail(ADDRESSES.flood, 40_000);
      written += 40_000;
      await untilCounted(centre, written);
    }
    assert.equal((await centre.status()).failures, written);
    await untilWarned(centre, /FLEETBAN_FAILURES is to hold \d+ bytes .*, and holds at most \d+/);
    const added = await centre.cli("ban", "add", ADDRESSES.late);
    assert.equal(added.code, 0, added.stderr);
    assert.equal(await centre.isBanned(ADDRESSES.flood), true);
  }));

test("a store that others have filled: agents keep their place, status says so, and it goes on when there is room", () =>
  onNats("16MB", undefined, async ({ centre, url }) => {
    await centre.fail(ADDRESSES.flood, 3);
    await untilCounted(centre, 3);
    await using connection = await open(url);
    const { streams } = await jetstreamManager(connection);
    await streams.add({ name: "BALLAST", subjects: ["ballast"] });
    const js = jetstream(connection);
    await eventually("there is no room left", () =>
      js.publish("ballast", new Uint8Array(MIB / 2)).then(
        () => false,
        () => true,
      ),
    );
    await untilWarned(centre, STORES_NOTHING);
    await centre.fail(ADDRESSES.flood, 4);
    const { code, stderr } = await centre.cli("ban", "add", ADDRESSES.late);
    assert.equal(code, 69);
    assert.match(stderr, /insufficient resources/);
    assert.match(await centre.readyz(), /NATS does not store the lease: insufficient resources/);
    assert.equal((await centre.status()).failures, 3);

    await streams.delete("BALLAST");
    await untilCounted(centre, 7);
    await eventually("it is banned", () => centre.isBanned(ADDRESSES.flood), 30);
    assert.equal((await centre.status()).failures, 7);
    await eventually("all is well", async () => (await centre.status()).decider === "c1");
  }));

test(
  "a full disk under NATS: the coordinator says so, and with room and a restart all goes on, nothing lost",
  { skip: needsRoot },
  () =>
    onNats("16MB", 24, async ({ centre, nats }, disk) => {
      assert.equal((await centre.cli("ban", "add", ADDRESSES.late)).code, 0);
      await centre.fail(ADDRESSES.flood, 3);
      await untilCounted(centre, 3);
      await disk!.fill();
      await centre.fail(ADDRESSES.flood, 400); // more than fits into pages that files have already
      // nats-server 2.9 then answers nobody who has asked it to store something, whatever they ask.
      const full = /NATS does not store the lease/;
      await eventually("its log says so", () => full.test(centre.coordinator.log()), 40);
      await eventually("so does /readyz", async () => full.test(await centre.readyz()), 40);
      const { code, stdout, stderr } = await centre.cli("status");
      if (code === 0) assert.match(stdout, /NATS stores nothing now/);
      else
        assert.match(stderr, /coordinator at .* does not answer in time: see its log and .readyz/);
      await centre.agent.stop("SIGKILL");
      await centre.fail(ADDRESSES.flood, 5);
      await centre.agent.start();
      await disk!.free();
      // Nor does it come to itself again.
      await nats.stop();
      await nats.start();
      await untilCounted(centre, 408);
      assert.equal((await centre.status()).failures, 408);
      await eventually("it is banned", () => centre.isBanned(ADDRESSES.flood), 30);
      assert.equal(await centre.isBanned(ADDRESSES.late), true);
    }),
);

async function open(url: string) {
  const connection = await connect({ servers: url, maxReconnectAttempts: -1 });
  return Object.assign(connection, { [Symbol.asyncDispose]: () => connection.close() });
}
